-- Which names user accounts showed with a number, and which institution each names: of each file
-- of calls, whose counts are to be added up.
SELECT presented_e164, presented_name, institution_id, count(*) AS calls
FROM call_verdict WHERE presented_name IS NOT NULL AND presented_e164 IS NOT NULL AND NOT staff
GROUP BY ALL
ORDER BY presented_e164, presented_name, institution_id
