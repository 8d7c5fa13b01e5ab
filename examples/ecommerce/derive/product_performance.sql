-- materialized: table
-- unique index: product_id
-- description: Pieces, revenue, returns and rank within its category of each product.
SELECT p.product_id, p.name, p.category,
       coalesce(sum(o.quantity) FILTER (WHERE o.status <> 'returned'), 0) AS pieces,
       coalesce(sum(o.total_amount) FILTER (WHERE o.status <> 'returned'), 0) AS revenue,
       round(100.0 * count(*) FILTER (WHERE o.status = 'returned') / nullif(count(o.order_id), 0), 1)
           AS returned_percent,
       rank() OVER (PARTITION BY p.category
                    ORDER BY coalesce(sum(o.total_amount) FILTER (WHERE o.status <> 'returned'), 0) DESC)
           AS rank_in_category
  FROM products p
  LEFT JOIN orders o USING (product_id)
 GROUP BY p.product_id
