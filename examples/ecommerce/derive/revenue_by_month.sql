-- materialized: table
-- unique index: month
-- description: Revenue of each month, with the change against the month before. Reads revenue_by_day.
SELECT month, orders, revenue,
       round(100 * (revenue / nullif(lag(revenue) OVER (ORDER BY month), 0) - 1), 1) AS change_percent
  FROM (SELECT date_trunc('month', day)::date AS month, sum(orders) AS orders, sum(revenue) AS revenue
          FROM revenue_by_day
         GROUP BY 1) AS months
