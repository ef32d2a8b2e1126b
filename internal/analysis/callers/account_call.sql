-- Which calls an account made, in order: what differs from call to call, and where to find the
-- rest in call_verdict.
SELECT account::VARCHAR AS account_id, started_at, called_e164, call_id, presented_e164, ref_row, ref_offset, place
FROM (
  SELECT account_id::account_id_word AS account, started_at, called_e164, call_id, presented_e164, ref_row, ref_offset, place
  FROM call_verdict_at WHERE account_id IS NOT NULL
  ORDER BY account, started_at, place
)
