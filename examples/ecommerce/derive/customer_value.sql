-- materialized: table
-- unique index: customer_id
-- index: lifetime_value
-- description: Lifetime value, orders and recency of each customer, counted back from the newest order of the shop.
SELECT c.customer_id,
       count(o.order_id) AS orders,
       coalesce(sum(o.total_amount), 0) AS lifetime_value,
       min(o.order_date) AS first_order,
       max(o.order_date) AS last_order,
       (SELECT max(order_date) FROM orders)::date - max(o.order_date)::date AS days_since_last_order
  FROM customers c
  LEFT JOIN orders o ON o.customer_id = c.customer_id AND o.status <> 'returned'
 GROUP BY c.customer_id
