-- What each payment was worth at the rate of its UTC day, in pounds and euros; null where the
-- rate list has no such day or the asset is not bitcoin.
SELECT p.payment_id, p.account_id, p.at, p.direction, p.asset, p.status, p.amount_sat,
  sats_minor(p.amount_sat, g.price_minor) AS gbp_minor,
  sats_minor(p.amount_sat, u.price_minor) AS eur_minor,
  CAST(timezone('UTC', p.at) AS DATE) AS rate_day,
  p.ref_source, p.ref_table, p.ref_row, p.ref_offset
FROM payment p
LEFT JOIN rate g ON p.asset = 'BTC' AND g.asset = 'BTC' AND g.currency = 'GBP' AND g.at = CAST(timezone('UTC', p.at) AS DATE)
LEFT JOIN rate u ON p.asset = 'BTC' AND u.asset = 'BTC' AND u.currency = 'EUR' AND u.at = CAST(timezone('UTC', p.at) AS DATE)
