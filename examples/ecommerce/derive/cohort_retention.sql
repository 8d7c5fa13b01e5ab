-- materialized: table
-- unique index: cohort, months_later
-- description: How many customers of each month of the first order ordered again, by months later.
WITH months AS (
    SELECT DISTINCT customer_id, date_trunc('month', order_date AT TIME ZONE 'UTC')::date AS month
      FROM orders
), cohorts AS (
    SELECT customer_id, min(month) AS cohort FROM months GROUP BY customer_id
)
SELECT cohort,
       (12 * (extract(year FROM month) - extract(year FROM cohort))
           + extract(month FROM month) - extract(month FROM cohort))::integer AS months_later,
       count(*) AS customers,
       round(100.0 * count(*) / sum(count(*)) FILTER (WHERE month = cohort) OVER (PARTITION BY cohort), 1)
           AS retained_percent
  FROM months
  JOIN cohorts USING (customer_id)
 GROUP BY cohort, month
