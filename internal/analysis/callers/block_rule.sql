-- Rules by which networks block calls by the number they present, each from its day. A rule
-- that is conditional asks something that a seized platform's records do not say.
SELECT * FROM (VALUES
  ('uk-dno-2019', 'GB', DATE '2019-01-01', 'number', 'The Do-Not-Originate list of Ofcom and UK Finance: numbers that only take calls. Providers that have the list may block calls that present them; not all did. The year is known and not the day (it stands at the year''s first); no public page is cited for it: check before relying on it.',
    NULL),
  ('uk-cli-2023', 'GB', DATE '2023-05-15', 'number', 'Ofcom, General Condition C6.6 as modified, and its guidance on CLI: providers identify and block calls whose number is invalid, not dialable, of other than 10 or 11 digits, of the 09 range, or on the Do-Not-Originate list.',
    'https://transnexus.com/blog/2022/uk-new-spoofing-blocking-rules/'),
  ('uk-abroad-2025', 'GB', DATE '2025-01-29', 'from abroad', 'Ofcom, guidance on CLI of July 2024: a call from abroad that presents a British geographic or non-geographic number is blocked, unless the provider can show that it is a British customer''s.',
    'https://commscouncil.uk/press/ofcom-updated-cli-guidance-tackling-scam-calls'),
  ('fr-man-2024', 'FR', DATE '2024-10-01', 'not authenticated', 'France, law 2020-901 of 24 July 2020, article 10 (mécanisme d''authentification des numéros): operators cut off calls that present a French number and are not authenticated.',
    'https://next.ink/152183/spam-telephonique-des-protections-renforcees-sur-les-appels-et-les-sms/'),
  ('fr-mobile-2026', 'FR', DATE '2026-01-01', 'from abroad', 'Arcep, decision of December 2025: a call from abroad that presents a French mobile number which is not authenticated is shown without its number.',
    'https://www.universfreebox.com/article/589013/face-au-fleau-des-arnaques-telephoniques-de-nouvelles-regles-de-larcep-obligent-orange-free-sfr-et-bouygues-a-sortir-lartillerie-lourde'),
  ('us-shaken-2021', 'US', DATE '2021-06-30', 'not authenticated', 'United States, STIR/SHAKEN: providers sign the number of a call on their IP networks. It labels calls; it does not by itself block them.',
    'https://usservicecenter.com/tired-of-robocalls-on-your-mobile-phone/'),
  ('us-dno-2025', 'US', DATE '2025-12-15', 'number', 'Federal Communications Commission, FCC 25-15 (90 FR 13416), 47 CFR 64.1200(o): all domestic voice service providers block calls on a reasonable Do-Not-Originate list. The order left the day to a later notice; the day is as a law firm reports that notice, which was not read: check before relying on it.',
    'https://commlawgroup.com/2025/new-rule-requiring-vsps-to-utilize-dnos-when-blocking-calls-effective-december-15-2025')
) AS rule (rule_id, country, from_day, condition, text, source_url)
ORDER BY country, from_day
