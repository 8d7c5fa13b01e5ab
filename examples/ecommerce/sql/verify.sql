-- The first three queries are those with which the original system verified its load.

-- name: Rows per table
SELECT 'customers' AS table, COUNT(*) FROM customers
UNION ALL
SELECT 'products', COUNT(*) FROM products
UNION ALL
SELECT 'orders', COUNT(*) FROM orders;

-- name: Orders whose customer is missing (must be 0)
SELECT COUNT(*) AS orphaned_orders
FROM orders o
LEFT JOIN customers c ON o.customer_id = c.customer_id
WHERE c.customer_id IS NULL;

-- name: Top 10 customers
SELECT c.first_name, c.last_name, SUM(o.total_amount) AS total_spent
FROM customers c
JOIN orders o ON c.customer_id = o.customer_id
GROUP BY c.customer_id, c.first_name, c.last_name
ORDER BY total_spent DESC
LIMIT 10;

-- name: Orders whose product is missing (must be 0)
SELECT count(*) AS orphans
FROM orders AS o
LEFT JOIN products AS p USING (product_id)
WHERE p.product_id IS NULL;

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
