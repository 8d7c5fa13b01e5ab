-- materialized: table
-- unique index: day
-- description: Orders, pieces and revenue of each day in UTC.
SELECT (order_date AT TIME ZONE 'UTC')::date AS day,
       count(*) AS orders,
       count(DISTINCT customer_id) AS customers,
       sum(quantity) AS pieces,
       sum(total_amount) AS revenue
  FROM orders
 WHERE status <> 'returned'
 GROUP BY 1
