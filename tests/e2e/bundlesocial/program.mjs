// A program as anybody writes it for bundle.social with the official package: nothing in it knows of Fingerpost but
// the key and the base URL. It prints what it saw as one JSON document.
import { readFile } from 'node:fs/promises';
import { Bundlesocial } from 'bundlesocial';

const { BASE, KEY, TEAM_ID: teamId, BOARD_NAME: boardName, PICTURE, SECOND, THIRD, PICTURE_URL } = process.env;
const DUE_IN_SECONDS = 4;
const PATIENCE_SECONDS = 60;

// What each call answered, each time, under the name that the package's types give it.
const answers = {};
const called = new Set();
const watched = (service) =>
  new Proxy(service, {
    get: (calls, name) => async (request) => {
      called.add(name);
      const answer = await calls[name](request);
      (answers[name[0].toUpperCase() + name.slice(1)] ??= []).push(answer);
      return answer;
    },
  });
const client = new Bundlesocial(KEY, { BASE });
for (const name of ['app', 'analytics', 'misc', 'organization', 'post', 'socialAccount', 'team', 'upload']) {
  client[name] = watched(client[name]);
}

const health = await client.app.appGetHealth();

const organization = await client.organization.organizationGetOrganization();
const usage = await client.organization.organizationGetPostsUsage();
const usages = [
  await client.organization.organizationGetUploadsUsage(),
  await client.organization.organizationGetCommentsUsage(),
  await client.organization.organizationGetImportsUsage(),
];
const team = await client.team.teamCreateTeam({ requestBody: { name: 'Spring' } });
const renamed = await client.team.teamUpdateTeam({ id: team.id, requestBody: { name: 'Summer' } });
const teams = await client.team.teamGetList({ offset: 0, limit: 10, search: 'summer' });
const mine = await client.team.teamGetTeam({ id: teamId });
const gone = await client.team.teamDeleteTeam({ id: team.id });

const account = await client.socialAccount.socialAccountGetByType({ teamId, type: 'PINTEREST' });
const daily = await client.organization.organizationGetDailyLimitsUsage({ socialAccountId: account.id });
const where = { requestBody: { teamId, type: 'PINTEREST' } };
const refreshed = await client.socialAccount.socialAccountRefreshChannels(where);
const profile = await client.socialAccount.socialAccountProfileRefresh(where);
const check = await client.socialAccount.socialAccountConnectionCheck(where);
const portal = await client.socialAccount.socialAccountCreatePortalLink({
  requestBody: { teamId, socialAccountTypes: ['PINTEREST'], redirectUrl: 'https://app.example/', expiresIn: 30 },
});
const direct = await client.socialAccount.socialAccountConnect({
  requestBody: { teamId, type: 'PINTEREST', redirectUrl: 'https://app.example/' },
});
const candidates = await client.post.postGetReconnectSocialAccountCandidates({ teamId, type: 'PINTEREST' });
const reconnected = await client.post.postReconnectSocialAccount(where);

const file = new File([await readFile(PICTURE)], 'shoes.png', { type: 'image/png' });
const upload = await client.upload.uploadCreate({ formData: { teamId, file } });
const fetched = await client.upload.uploadCreateFromUrl({ requestBody: { teamId, url: PICTURE_URL } });

const bytes = await readFile(SECOND);
const slot = await client.upload.uploadInitLargeUpload({
  requestBody: { teamId, fileName: 'large.png', mimeType: 'image/png' },
});
await fetch(slot.url, { method: 'PUT', body: bytes, headers: { 'content-type': 'image/png' } });
const large = await client.upload.uploadFinalizeLargeUpload({ requestBody: { teamId, path: slot.path } });
const held = await client.upload.uploadGet({ id: large.id });
const all = await client.upload.uploadGetList({ teamId });
const thrown = await client.upload.uploadDelete({ id: large.id });
const third = new File([await readFile(THIRD)], 'third.png', { type: 'image/png' });
const spare = await client.upload.uploadCreate({ formData: { teamId, file: third } });
const thrownTogether = await client.upload.uploadDeleteMany({ requestBody: { ids: [spare.id] } });

const other = await client.team.teamCreateTeam({ requestBody: { name: 'Autumn' } });
const copied = await client.socialAccount.socialAccountCopy({
  requestBody: { fromTeamId: teamId, toTeamId: other.id, socialAccountTypes: ['PINTEREST'] },
});
const there = { teamId: other.id, type: 'PINTEREST' };
const [firstBoard] = refreshed.channels;
// Every Pin names its board: on this platform none is chosen for the account.
const set = await client.socialAccount
  .socialAccountSetChannel({ requestBody: { ...there, channelId: firstBoard.id } })
  .catch((error) => error);
const unset = await client.socialAccount.socialAccountUnsetChannel({ requestBody: there }).catch((error) => error);
const left = await client.socialAccount.socialAccountDisconnect({ requestBody: there });

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

const ended = async (id, statuses = []) => {
  const deadline = Date.now() + PATIENCE_SECONDS * 1000;
  for (;;) {
    const post = await client.post.postGet({ id });
    if (post.status !== statuses.at(-1)) statuses.push(post.status);
    if (['POSTED', 'ERROR'].includes(post.status)) return post;
    if (Date.now() > deadline) throw new Error(`the post stays ${post.status}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
};
const statuses = [];
const post = await ended(created.id, statuses);

const { id, permalink } = post.externalData?.PINTEREST ?? {};
if (post.status !== 'POSTED' || !permalink) throw new Error(`not published: ${JSON.stringify(post)}`);

const figures = await client.analytics.analyticsGetPostAnalytics({ postId: created.id, platformType: 'PINTEREST' });
const many = await client.analytics.analyticsGetBulkPostAnalytics({ postIds: [created.id], platformType: 'PINTEREST' });
const ofAccount = await client.analytics.analyticsGetSocialAccountAnalytics({ teamId, platformType: 'PINTEREST' });
const forced = await client.analytics
  .analyticsForcePostAnalytics({ requestBody: { postId: created.id } })
  .catch((error) => error);

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

const draft = await client.post.postCreate({
  requestBody: {
    teamId,
    title: 'An unfinished thought',
    postDate: '2042-01-01T00:00:00.000Z',
    status: 'DRAFT',
    socialAccountTypes: ['PINTEREST'],
    data: { PINTEREST: { boardName, text: 'Unfinished' } },
  },
});
const drafts = await client.post.postGetList({
  teamId,
  status: 'DRAFT',
  orderBy: 'postDate',
  order: 'ASC',
  q: 'UNFINISHED',
  platforms: ['PINTEREST', 'TWITTER'],
  postDateFrom: '2041-12-31T00:00:00.000Z',
  postDateTo: '2042-01-02T00:00:00.000Z',
  offset: 0,
  limit: 5,
});
const tooSoon = await client.post
  .postUpdate({ id: draft.id, requestBody: { status: 'SCHEDULED' } })
  .catch((error) => error);
const finished = await client.post.postUpdate({
  id: draft.id,
  requestBody: {
    title: 'A finished thought',
    referenceKey: 'thought/1',
    postDate: '2043-01-01T00:00:00.000Z',
    status: 'SCHEDULED',
    socialAccountTypes: ['PINTEREST'],
    data: { PINTEREST: { boardName, text: 'Finished', uploadIds: [fetched.id] } },
  },
});
const tooLate = await client.post
  .postUpdate({ id: created.id, requestBody: { title: 'Too late' } })
  .catch((error) => error);

const brief = await client.post.postCreate({
  requestBody: {
    teamId,
    title: 'Not for long',
    postDate: new Date().toISOString(),
    status: 'SCHEDULED',
    socialAccountTypes: ['PINTEREST'],
    data: { PINTEREST: { boardName, text: 'Not for long', uploadIds: [fetched.id] } },
  },
});
await ended(brief.id);
const doomed = await client.post.postCreate({
  requestBody: {
    teamId,
    title: 'Doomed',
    postDate: new Date().toISOString(),
    status: 'SCHEDULED',
    socialAccountTypes: ['PINTEREST'],
    data: { PINTEREST: { boardName, text: 'Doomed', uploadIds: [fetched.id] } },
  },
});
const failed = await ended(doomed.id);
const retried = await client.post.postRetry({ id: doomed.id });
const failedAgain = await ended(doomed.id);
const takenOff = await client.misc.miscPinterestDeletePin({ requestBody: { teamId, postId: brief.id } });
const edited = await client.misc
  .miscPinterestEditPin({ requestBody: { teamId, postId: created.id, title: 'Another' } })
  .catch((error) => error);

console.log(
  JSON.stringify({
    health: health.status,
    organization: { id: organization.id, teams: organization.teams.map(({ id }) => id) },
    usage,
    usages: usages.map(({ used, limit }) => [typeof used, limit]),
    daily,
    teams: { made: team.name, renamed: renamed.name, found: teams.total, gone: gone.deletedAt !== null },
    accounts: mine.socialAccounts.map(({ type }) => type),
    account: { id: account.id, type: account.type, boards: refreshed.channels.map((channel) => channel.name) },
    looks: [profile.success, check.success, profile.socialAccount.id === check.socialAccountId],
    links: [portal.url, direct.url],
    reconnected: [candidates.total, reconnected.total],
    uploads: [upload, fetched],
    large: { sizes: [bytes.length, held.size ?? held.fileSize], held: all.length ?? all.items?.length },
    thrown: [thrown.id === large.id, thrownTogether.map(({ id }) => id === spare.id)],
    copied: [copied.length, set.status, unset.status, left.id === copied[0].id],
    refused: { name: refused.name, status: refused.status, issues: refused.body?.issues },
    postDate,
    created,
    read,
    byKey: byKey.id,
    listed,
    statuses,
    post,
    pin: { id, permalink },
    figures: [figures.post.id, figures.profilePost.externalId, figures.items[0].impressions > 0],
    many: many.results.map(({ postId, items }) => [postId, items.length]),
    ofAccount: [ofAccount.socialAccount.id, ofAccount.items[0].postCount],
    forced: forced.status,
    again: { name: again.name, status: again.status },
    moved: { status: moved.status, postDate: moved.postDate },
    deleted: deleted.status,
    drafts: drafts.items.map(({ id }) => id),
    draft: draft.id,
    finished: { status: finished.status, title: finished.title, referenceKey: finished.referenceKey },
    tooSoon: { status: tooSoon.status, codes: tooSoon.body?.issues.map(({ code }) => code) },
    tooLate: { status: tooLate.status, message: tooLate.body?.message },
    failed: { status: failed.status, ...failed.errorsVerbose.PINTEREST },
    retried: [retried.status, failedAgain.status],
    takenOff: [takenOff.success, edited.status],
    called: [...called],
    answers,
  }),
);
