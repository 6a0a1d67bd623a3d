CREATE TABLE orders (
  id           BIGSERIAL PRIMARY KEY,
  customer     TEXT NOT NULL,
  email        TEXT NOT NULL,
  amount       NUMERIC(10,2) NOT NULL,
  status       TEXT NOT NULL DEFAULT 'placed',
  delivery_day TEXT NOT NULL,
  place        TEXT NOT NULL,
  updated_at   TIMESTAMPTZ NOT NULL DEFAULT now()
);

-- 500 orders. In three of them somebody wrote a day that is none, in two a place that has no coordinates.
INSERT INTO orders (customer, email, amount, delivery_day, place)
SELECT 'customer ' || n % 50, 'customer-' || n % 50 || '@shop.example', n + 0.95,
  CASE n WHEN 101 THEN 'next tuesday' WHEN 202 THEN 'asap' WHEN 303 THEN 'before christmas' ELSE to_char(date '2026-12-01' + n % 20, 'DD.MM.YYYY') END,
  CASE n WHEN 404 THEN 'the old mill' WHEN 451 THEN 'behind the church' ELSE 48 + n % 5 || '.14,' || 8 + n % 4 || '.58' END
FROM generate_series(1, 500) AS n;
