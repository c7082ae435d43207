// A program as anybody writes it for bundle.social with the official package: nothing in it knows of Fingerpost but
// the key and the base URL. It prints what it saw as one JSON document.
import { readFile } from 'node:fs/promises';
import { Bundlesocial } from 'bundlesocial';

const { BASE, KEY, TEAM_ID: teamId, BOARD_NAME: boardName, PICTURE, PICTURE_URL } = process.env;
const DUE_IN_SECONDS = 4;
const PATIENCE_SECONDS = 60;

const client = new Bundlesocial(KEY, { BASE });

const health = await client.app.appGetHealth();

const file = new File([await readFile(PICTURE)], 'shoes.png', { type: 'image/png' });
const upload = await client.upload.uploadCreate({ formData: { teamId, file } });
const fetched = await client.upload.uploadCreateFromUrl({ requestBody: { teamId, url: PICTURE_URL } });

const refused = await client.post
  .postCreate({
    requestBody: {
      teamId,
      title: 'Everything is wrong',
      postDate: new Date().toISOString(),
      status: 'SCHEDULED',
      socialAccountTypes: ['PINTEREST'],
      data: { PINTEREST: { text: 'x'.repeat(101), altText: 'x'.repeat(501) } },
    },
  })
  .catch((error) => error);

const postDate = new Date(Date.now() + DUE_IN_SECONDS * 1000).toISOString();
const created = await client.post.postCreate({
  requestBody: {
    teamId,
    title: 'New arrival Pin',
    referenceKey: 'spring/shoes 1',
    postDate,
    status: 'SCHEDULED',
    socialAccountTypes: ['PINTEREST'],
    data: {
      PINTEREST: {
        boardName,
        text: 'New arrival',
        description: 'Our latest drop - tap to shop.',
        link: 'https://example.com/products/new-arrival',
        altText: 'New arrival product shot on white background',
        uploadIds: [upload.id],
      },
    },
  },
});

const read = await client.post.postGet({ id: created.id });
const byKey = await client.post.postGetByReferenceKey({ referenceKey: 'spring/shoes 1' });
const listed = await client.post.postGetList({ teamId, platforms: ['PINTEREST'], orderBy: 'createdAt', order: 'DESC' });

const deadline = Date.now() + PATIENCE_SECONDS * 1000;
const statuses = [];
let post = read;
while (!['POSTED', 'ERROR'].includes(post.status)) {
  if (Date.now() > deadline) throw new Error(`the post stays ${post.status}`);
  await new Promise((resolve) => setTimeout(resolve, 100));
  post = await client.post.postGet({ id: created.id });
  if (post.status !== statuses.at(-1)) statuses.push(post.status);
}

const { id, permalink } = post.externalData?.PINTEREST ?? {};
if (post.status !== 'POSTED' || !permalink) throw new Error(`not published: ${JSON.stringify(post)}`);

const again = await client.post.postRetry({ id: created.id }).catch((error) => error);

const farAhead = await client.post.postCreate({
  requestBody: {
    teamId,
    title: 'In a while',
    postDate: '2040-01-01T00:00:00.000Z',
    status: 'SCHEDULED',
    socialAccountTypes: ['PINTEREST'],
    data: { PINTEREST: { boardName, text: 'In a while', uploadIds: [fetched.id] } },
  },
});
const moved = await client.post.postUpdate({
  id: farAhead.id,
  requestBody: { postDate: '2041-01-01T00:00:00.000Z' },
});
const deleted = await client.post.postDelete({ id: farAhead.id });

console.log(
  JSON.stringify({
    health: health.status,
    uploads: [upload, fetched],
    refused: { name: refused.name, status: refused.status, issues: refused.body?.issues },
    postDate,
    created,
    read,
    byKey: byKey.id,
    listed,
    statuses,
    post,
    pin: { id, permalink },
    again: { name: again.name, status: again.status },
    moved: { status: moved.status, postDate: moved.postDate },
    deleted: deleted.status,
  }),
);
