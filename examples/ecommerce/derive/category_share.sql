-- materialized: table
-- unique index: category
-- description: Revenue of each category and its share of the revenue of the shop. Reads product_performance.
SELECT category, count(*) AS products, sum(pieces) AS pieces, sum(revenue) AS revenue,
       round(100 * sum(revenue) / nullif(sum(sum(revenue)) OVER (), 0), 2) AS share_percent
  FROM product_performance
 GROUP BY category
