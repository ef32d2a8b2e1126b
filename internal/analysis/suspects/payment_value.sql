-- What each payment was worth at the rate of its UTC day, in pounds and euros; null where the
-- rate list has no such day or the asset is not bitcoin.
WITH day AS (
  SELECT *, DATE '1970-01-01' + CAST(epoch_us("at") // 86400000000 AS INTEGER) AS rate_day FROM payment
),
price AS (
  SELECT asset, "at" AS rate_day, any_value(price_minor) FILTER (WHERE currency = 'GBP') AS gbp, any_value(price_minor) FILTER (WHERE currency = 'EUR') AS eur
  FROM rate WHERE asset = 'BTC' GROUP BY ALL
)
SELECT p.payment_id, p.account_id, p."at", p.direction, p.asset, p.status, p.amount_sat,
  sats_minor(p.amount_sat, r.gbp) AS gbp_minor, sats_minor(p.amount_sat, r.eur) AS eur_minor, p.rate_day,
  p.ref_source, p.ref_table, p.ref_row, p.ref_offset
FROM day p LEFT JOIN price r USING (asset, rate_day)
ORDER BY p."at", p.payment_id
