-- One row a call that fits the passcode pattern (docs/campaigns.md): an answered call of a user
-- account, of at most 120 s of talk, in which 4 to 8 keys were pressed, and of which at least
-- two of these hold: a recorded prompt was played; it presented an institution; the same
-- account called the same number again, or before, within 10 minutes; it sent that number a
-- message within 15 minutes before. Where a source keeps no count of keys, all four must hold.
-- The digits pressed are in no case table: only how many they were.
--
-- touched are the calls that can fit and to which something new is near in time, to the same
-- number, and those with a script of theirs.
WITH pressed AS (
  -- Readings of keys, and the call of that number during which each was made: the last that
  -- had started by then. The exchange may write a reading down 5 s after the call.
  SELECT k.number_e164, k.at, sum(k.keys) AS keys FROM keypress k SEMI JOIN fitting_call ON called_e164 = number_e164 WHERE k.at IS NOT NULL GROUP BY ALL
),
c AS (SELECT *, started_at + to_seconds(talk_s + 5) AS until FROM fitting_call),
read AS (
  SELECT c.place, sum(p.keys) AS keys
  FROM c JOIN pressed p ON p.number_e164 = c.called_e164 AND p.at BETWEEN c.started_at AND c.until
  GROUP BY c.place
),
beside AS (
  SELECT ref_source::ref_source_word AS ref_source, ref_table::ref_table_word AS ref_table, ref_row, recording, keypress_count
  FROM call WHERE recording IS NOT NULL OR keypress_count IS NOT NULL
),
-- Calls without a count of keys, a reading or a script cannot fit.
keyed AS (
  SELECT c.*, recording, coalesce(keypress_count, r.keys) AS keys
  FROM c LEFT JOIN read r USING (place) LEFT JOIN beside USING (ref_source, ref_table, ref_row)
  WHERE script_id IS NOT NULL OR keypress_count IS NOT NULL OR r.keys IS NOT NULL
),
-- What the called answer a prompt with.
prompt AS (
  SELECT script_id, count(*) FILTER (WHERE keys BETWEEN 4 AND 8) * 2 >= count(*) AS asks
  FROM keyed WHERE script_id IS NOT NULL AND keys > 0 GROUP BY script_id
),
counted AS (
  SELECT k.*, coalesce(p.asks, false) AS asks FROM keyed k LEFT JOIN prompt p USING (script_id)
  WHERE k.keys BETWEEN 4 AND 8 OR k.keys IS NULL AND k.script_id IS NOT NULL AND p.script_id IS NULL AND k.institution_id IS NOT NULL
),
near AS (
  SELECT k.place FROM counted k JOIN same_number o
    ON o.account_id = k.account_id AND o.called_e164 = k.called_e164 AND o.place <> k.place
      AND abs(epoch_us(o.started_at) - epoch_us(k.started_at)) <= 600000000
  GROUP BY k.place
),
told AS (
  SELECT k.place FROM counted k JOIN message m
    ON m.account_id = k.account_id AND m.recipient_e164 = k.called_e164 AND m.at BETWEEN k.started_at - INTERVAL 15 MINUTE AND k.started_at
  GROUP BY k.place
),
signs AS (
  SELECT k.*, k.script_id IS NOT NULL OR k.recording IS NOT NULL AS recorded, k.institution_id IS NOT NULL AS named,
    n.place IS NOT NULL AS repeated, t.place IS NOT NULL AS message_before
  FROM counted k LEFT JOIN near n USING (place) LEFT JOIN told t USING (place)
)
SELECT * FROM was
UNION ALL
SELECT v.call_id, s.account_id, s.started_at, s.called_e164, s.talk_s, s.institution_id, v.grade, s.script_id, CAST(keys AS BIGINT) AS keys, recorded, asks, named, repeated, message_before,
  concat_ws('; ', keys || ' keys pressed', 'talk ' || s.talk_s || ' s',
    CASE WHEN recorded THEN 'a recorded prompt' END, CASE WHEN asks THEN 'mostly answered with 4 to 8 keys' END, CASE WHEN named THEN 'presents ' || s.institution_id END,
    CASE WHEN repeated THEN 'called again within 10 minutes' END, CASE WHEN message_before THEN 'a message within 15 minutes before' END) AS reasons,
  $rule_version AS rule_version, v.ref_source, v.ref_table, v.ref_row, v.ref_offset
FROM (
  SELECT * FROM signs
  WHERE CAST(recorded AS INTEGER) + CAST(asks AS INTEGER) + CAST(named AS INTEGER) + CAST(repeated AS INTEGER) + CAST(message_before AS INTEGER) >= CASE WHEN keys IS NULL THEN 4 ELSE 2 END
) s JOIN call_verdict_at v USING (place)
ORDER BY started_at, call_id
