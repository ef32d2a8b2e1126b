-- What a threshold of talk takes in: of every threshold the numbers whose longest call is
-- longer, the answered calls that are, and the strictly linked reports that have such a call.
WITH threshold AS (SELECT unnest([0, 5, 10, 15, 30, 45, 60, 90, 120, 180, 240, 300, 600, 900, 1800]) AS threshold_s),
scope AS (SELECT unnest(['world', 'GB']) AS scope),
-- Histograms by seconds: a few thousand rows, however many calls.
numbers AS (
  SELECT country = 'GB' AS british, longest_s AS talk_s, count(*) FILTER (WHERE excluded_reason IS NULL) AS numbers, count(excluded_reason) AS excluded
  FROM victim GROUP BY ALL
),
calls AS (
  SELECT called_country = 'GB' AS british, talk_s, count(*) AS calls
  FROM call_verdict WHERE NOT staff AND outcome = 'answered' AND called_e164 IS NOT NULL GROUP BY ALL
),
linked AS (
  SELECT l.report_id, v.country = 'GB' AS british, max(l.talk_s) AS talk_s, any_value(lower(trim(r.victim_name)) || '|' || coalesce(CAST(r.victim_dob AS VARCHAR), '')) AS person
  FROM report_link l JOIN victim v USING (called_e164) JOIN loss_report r USING (report_id)
  WHERE l.strict GROUP BY ALL
),
base AS (SELECT scope, threshold_s FROM scope, threshold),
n AS (SELECT scope, threshold_s, sum(numbers) AS numbers, sum(excluded) AS excluded FROM base JOIN numbers h ON h.talk_s > threshold_s AND (scope = 'world' OR h.british) GROUP BY ALL),
c AS (SELECT scope, threshold_s, sum(calls) AS calls FROM base JOIN calls h ON h.talk_s > threshold_s AND (scope = 'world' OR h.british) GROUP BY ALL),
r AS (
  SELECT scope, threshold_s, count(*) FILTER (WHERE talk_s > threshold_s) AS reports, count(*) AS linked,
    count(DISTINCT person) FILTER (WHERE talk_s > threshold_s) AS people
  FROM base JOIN linked ON scope = 'world' OR british GROUP BY ALL
)
SELECT scope, CAST(threshold_s AS BIGINT) AS threshold_s, CAST(coalesce(numbers, 0) AS BIGINT) AS numbers, CAST(coalesce(excluded, 0) AS BIGINT) AS numbers_excluded,
  CAST(coalesce(calls, 0) AS BIGINT) AS calls, coalesce(reports, 0) AS reports, coalesce(linked, 0) AS reports_linked,
  round(reports / linked, 4) AS reports_share, coalesce(people, 0) AS people_reporting
FROM base LEFT JOIN n USING (scope, threshold_s) LEFT JOIN c USING (scope, threshold_s) LEFT JOIN r USING (scope, threshold_s)
ORDER BY scope DESC, threshold_s
