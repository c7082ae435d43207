// Connects an account in a real browser that runs no script, and keeps pictures of every page.
import { chromium } from 'playwright-core';

const { CHROMIUM, PORTAL, SPARE, DIRECT, SHOTS } = process.env;
const browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] });
const seen = { requests: [], complaints: [], overflow: [] };

async function visit(options) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  page.on('request', (request) => seen.requests.push(request.url()));
  page.on('console', (message) => seen.complaints.push(message.text()));
  page.on('pageerror', (error) => seen.complaints.push(String(error)));
  return page;
}

const shot = (page, name) => page.screenshot({ path: `${SHOTS}/${name}.png`, fullPage: true });

// Without scripts, from the link to the platform and back.
const page = await visit({ javaScriptEnabled: false, viewport: { width: 1100, height: 820 } });
await page.goto(PORTAL);
await shot(page, 'portal');
seen.page = await page.locator('main').ariaSnapshot();
await page.getByRole('link', { name: 'Connect Pinterest' }).click();
await shot(page, 'consent');
seen.consent = new URL(page.url()).pathname;
await page.getByRole('button', { name: 'Give access' }).click();
await page.waitForURL((url) => url.pathname.startsWith('/connect/'));
await shot(page, 'connected');
seen.connected = await page.getByRole('status').innerText();
seen.back = await page.getByRole('link', { name: 'Back to app.example' }).getAttribute('href');

// No is an answer too.
await page.getByRole('link', { name: 'Add another Pinterest' }).click();
await page.getByRole('button', { name: 'Cancel' }).click();
await page.waitForURL((url) => url.pathname.startsWith('/connect/callback/'));
await shot(page, 'denied');
seen.denied = await page.getByRole('heading', { level: 1 }).innerText();
seen.alert = await page.getByRole('alert').innerText();

// A form, and what it says when it is empty.
await page.goto(`${SPARE}/echo`);
await shot(page, 'form');
seen.field = await page.getByLabel('Your name').getAttribute('type');
await page.getByLabel('Your name').fill('   ');
await page.getByRole('button', { name: 'Connect' }).click();
await shot(page, 'form-fault');
seen.fault = await page.getByRole('alert').innerText();

// A direct link, denied by nobody: the browser ends at the client's address.
const direct = await visit({ javaScriptEnabled: false });
await direct.goto(DIRECT);
await direct.route('https://app.example/**', (route) => route.fulfill({ body: 'the client' }));
await direct.getByRole('button', { name: 'Give access' }).click();
await direct.waitForURL('https://app.example/**');
seen.ended = direct.url();

// By keyboard alone, in the dark, on a telephone, and as narrow as WCAG 1.4.10 asks.
const dark = await visit({ colorScheme: 'dark', viewport: { width: 1100, height: 820 } });
await dark.goto(SPARE);
await dark.keyboard.press('Tab');
seen.focused = await dark.evaluate(() => {
  const style = getComputedStyle(document.activeElement);
  return { text: document.activeElement.innerText, outline: style.outlineStyle, width: style.outlineWidth };
});
await shot(dark, 'portal-dark');
for (const width of [390, 320]) {
  const narrow = await visit({ viewport: { width, height: 780 }, colorScheme: width === 320 ? 'dark' : 'light' });
  for (const [name, url] of [['portal', SPARE], ['form', `${SPARE}/echo`]]) {
    await narrow.goto(url);
    await shot(narrow, `${name}-${width}`);
    if (await narrow.evaluate(() => document.documentElement.scrollWidth > innerWidth)) seen.overflow.push(name);
  }
}
await browser.close();
console.log(JSON.stringify(seen));
