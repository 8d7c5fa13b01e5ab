ALTER TABLE nation ADD CONSTRAINT nation_region_fkey FOREIGN KEY (n_regionkey) REFERENCES region (r_regionkey);
ALTER TABLE supplier ADD CONSTRAINT supplier_nation_fkey FOREIGN KEY (s_nationkey) REFERENCES nation (n_nationkey);
ALTER TABLE customer ADD CONSTRAINT customer_nation_fkey FOREIGN KEY (c_nationkey) REFERENCES nation (n_nationkey);
ALTER TABLE partsupp
    ADD CONSTRAINT partsupp_part_fkey FOREIGN KEY (ps_partkey) REFERENCES part (p_partkey),
    ADD CONSTRAINT partsupp_supplier_fkey FOREIGN KEY (ps_suppkey) REFERENCES supplier (s_suppkey);
ALTER TABLE orders ADD CONSTRAINT orders_customer_fkey FOREIGN KEY (o_custkey) REFERENCES customer (c_custkey);
ALTER TABLE lineitem
    ADD CONSTRAINT lineitem_orders_fkey FOREIGN KEY (l_orderkey) REFERENCES orders (o_orderkey),
    ADD CONSTRAINT lineitem_partsupp_fkey FOREIGN KEY (l_partkey, l_suppkey)
        REFERENCES partsupp (ps_partkey, ps_suppkey);
