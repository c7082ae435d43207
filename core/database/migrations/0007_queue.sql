-- Workers take from the lanes of a queue in turn, without reading what stands behind.
drop index deliveries_queued;
create index deliveries_queued on deliveries (platform, lane_id, due_at) where state = 'queued';
create index deliveries_under_way on deliveries (platform, due_at) where state in ('processing', 'unconfirmed');
