// A receiver as anybody writes it with the official packages. It reads requests as they came in from standard input,
// and prints for each what every package says of it.
import { readFileSync } from 'node:fs';
import { Bundlesocial } from 'bundlesocial';
import standardwebhooks from 'standardwebhooks';

const client = new Bundlesocial('unused', { BASE: 'http://127.0.0.1:9' });

const said = (verify) => {
  try {
    return { taken: true, event: verify() };
  } catch (error) {
    return { taken: false, words: error.message };
  }
};

const requests = JSON.parse(readFileSync(0, 'utf8'));
console.log(
  JSON.stringify(
    requests.map(({ body, headers, secret }) => {
      const raw = Buffer.from(body, 'base64');
      const signature = headers['x-signature'];
      return {
        standard: said(() => new standardwebhooks.Webhook(secret).verify(raw, headers)),
        bundlesocial: said(() => client.webhooks.constructEvent(raw.toString(), signature, secret)),
        // What a framework has parsed already, the package writes out again.
        parsed: said(() => client.webhooks.constructEvent(JSON.parse(raw), signature, secret)),
      };
    }),
  ),
);
