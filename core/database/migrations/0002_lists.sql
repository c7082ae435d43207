-- Lists of posts. Every order is walked status by status, and what is wanted of several is merged: so one index an order
-- serves lists of one status and of all, and what a list costs does not hang on how many posts a team has.
create index posts_created on posts (team_id, status, created_at, id);
create index posts_updated on posts (team_id, status, updated_at, id);
create index posts_dated on posts (team_id, status, post_date, id);
create index posts_posted on posts (team_id, status, posted_at, id) where posted_at is not null;
create index posts_deleted on posts (team_id, status, deleted_at, id) where status = 'DELETED';
drop index posts_team_id_created_at_id_idx;
drop index posts_team_id_post_date_id_idx;

-- The title as it is searched: folded by the program, which knows more alphabets than a database's locale may.
alter table posts add column folded text not null default '';
update posts set folded = lower(title);

-- By what a post is found that is rare among those of its team: the pieces of its title and its platforms, each behind
-- the last digits of its team's id. A table of its own, because a post's row changes often and this hardly ever.
create table post_terms (
    post_id  uuid primary key references posts on delete cascade,
    terms    text[] not null
);
create index post_terms_found on post_terms using gin (terms) with (gin_pending_list_limit = 1024);
insert into post_terms (post_id, terms)
select id, array(
    select right(team_id::text, 8) || '=' || platform from unnest(platforms) as platform
    union select right(team_id::text, 8) || '~' || substr(folded, at, 3) from generate_series(1, length(folded) - 2) as at
    union select right(team_id::text, 8) || '~' || letter
          from regexp_split_to_table(folded, '') as letter where letter > '~')
from posts;

-- Who approved or rejected a post's content, and when; the first verdict first.
alter table posts add column reviews jsonb not null default '[]';
