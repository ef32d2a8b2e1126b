-- Whom to warn, in lots that one office can work: country, police force area or kind of line,
-- priority. What is excluded stands beside them, by kind of reason. published is the count as
-- it may be made public: none where fewer than five numbers are in the lot.
WITH lot AS (
  SELECT *, split_part(excluded_reason, ':', 1) AS excluded FROM victim
)
SELECT coalesce(batch_id, 'excluded.' || replace(excluded, ' ', '-')) AS batch_id,
  CASE WHEN batch_id IS NULL THEN '' ELSE coalesce(any_value(country), '') END AS country,
  CASE WHEN batch_id IS NULL THEN '' ELSE any_value(line) END AS line,
  CASE WHEN batch_id IS NULL THEN '' ELSE any_value(force_area) END AS force_area,
  CASE WHEN batch_id IS NOT NULL THEN any_value(priority) END AS priority, excluded,
  count(*) AS numbers, CASE WHEN count(*) >= 5 THEN count(*) END AS published,
  sum(long_calls)::BIGINT AS long_calls, count(*) FILTER (WHERE passcode_calls > 0) AS numbers_passcode,
  count(*) FILTER (WHERE linked_reports > 0) AS numbers_reported, min(first_at) AS first_at, max(last_at) AS last_at
FROM lot
GROUP BY lot.batch_id, excluded
ORDER BY priority NULLS LAST, numbers DESC, lot.batch_id, excluded
