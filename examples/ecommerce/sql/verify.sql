-- name: Rows per table
SELECT 'customers' AS "table", count(*) AS rows FROM customers
UNION ALL SELECT 'products', count(*) FROM products
UNION ALL SELECT 'orders', count(*) FROM orders;

-- name: Orders without their customer or product (must be 0)
SELECT count(*) AS orphans
FROM orders AS o
LEFT JOIN customers AS c USING (customer_id)
LEFT JOIN products AS p USING (product_id)
WHERE c.customer_id IS NULL OR p.product_id IS NULL;

-- name: Top 10 customers by revenue
SELECT c.name, c.city, count(*) AS orders, sum(o.total_amount) AS revenue
FROM orders AS o
JOIN customers AS c USING (customer_id)
GROUP BY c.customer_id
ORDER BY revenue DESC, c.customer_id
LIMIT 10;

-- name: Revenue by category
SELECT p.category, sum(o.quantity) AS pieces, sum(o.total_amount) AS revenue
FROM orders AS o
JOIN products AS p USING (product_id)
GROUP BY p.category
ORDER BY revenue DESC;

-- name: Orders per month (the last 12)
SELECT to_char(date_trunc('month', order_date AT TIME ZONE 'UTC'), 'YYYY-MM') AS month,
       count(*) AS orders, sum(total_amount) AS revenue
FROM orders
GROUP BY 1
ORDER BY 1 DESC
LIMIT 12;
