-- Two of the five are put right.
UPDATE orders SET updated_at = now(),
  delivery_day = CASE id WHEN 101 THEN '15.12.2026' ELSE delivery_day END,
  place        = CASE id WHEN 404 THEN '48.14,11.58' ELSE place END
WHERE id IN (101, 404);

-- 98 are shipped.
UPDATE orders SET updated_at = now(), status = 'shipped' WHERE id % 5 = 0 AND id <= 490;
