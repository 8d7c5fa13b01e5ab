-- The schema of the shop: customers, products, and orders that point at both.
-- Running it again changes nothing, so that it may stand before every load.

CREATE TABLE IF NOT EXISTS customers (
    customer_id       integer      NOT NULL,
    first_name        text         NOT NULL,
    last_name         text         NOT NULL,
    email             varchar(254) NOT NULL,
    age               smallint,
    city              text         NOT NULL,
    registration_date date         NOT NULL,
    notes             text,
    CONSTRAINT customers_pkey PRIMARY KEY (customer_id),
    CONSTRAINT customers_email_key UNIQUE (email),
    CONSTRAINT customers_first_name_check CHECK (first_name <> ''),
    CONSTRAINT customers_last_name_check CHECK (last_name <> ''),
    CONSTRAINT customers_age_check CHECK (age BETWEEN 18 AND 120)
);

CREATE TABLE IF NOT EXISTS products (
    product_id     integer        NOT NULL,
    name           text           NOT NULL,
    description    text,
    category       text           NOT NULL,
    price          numeric(10, 2) NOT NULL,
    stock_quantity integer        NOT NULL DEFAULT 0,
    CONSTRAINT products_pkey PRIMARY KEY (product_id),
    CONSTRAINT products_price_check CHECK (price >= 0),
    CONSTRAINT products_stock_quantity_check CHECK (stock_quantity >= 0)
);

CREATE TABLE IF NOT EXISTS orders (
    order_id     bigint         NOT NULL,
    customer_id  integer        NOT NULL,
    product_id   integer        NOT NULL,
    quantity     integer        NOT NULL,
    unit_price   numeric(10, 2) NOT NULL,
    total_amount numeric(12, 2) NOT NULL,
    order_date   timestamptz    NOT NULL,
    status       text           NOT NULL DEFAULT 'new',
    CONSTRAINT orders_pkey PRIMARY KEY (order_id),
    CONSTRAINT orders_customer_id_fkey FOREIGN KEY (customer_id)
        REFERENCES customers (customer_id) ON DELETE CASCADE,
    CONSTRAINT orders_product_id_fkey FOREIGN KEY (product_id)
        REFERENCES products (product_id) ON DELETE CASCADE,
    CONSTRAINT orders_quantity_check CHECK (quantity > 0),
    CONSTRAINT orders_unit_price_check CHECK (unit_price >= 0),
    CONSTRAINT orders_total_amount_check CHECK (total_amount >= 0),
    CONSTRAINT orders_status_check CHECK (status IN ('new', 'paid', 'shipped', 'delivered', 'returned'))
);

-- The original also had an index on customers.email: customers_email_key is one already, a second would
-- only cost time and room.
CREATE INDEX IF NOT EXISTS customers_city_idx ON customers (city);
CREATE INDEX IF NOT EXISTS products_category_idx ON products (category);
CREATE INDEX IF NOT EXISTS products_price_idx ON products (price);
-- A foreign key brings no index of its own; without these two, deleting a customer reads all orders.
CREATE INDEX IF NOT EXISTS orders_customer_id_idx ON orders (customer_id);
CREATE INDEX IF NOT EXISTS orders_product_id_idx ON orders (product_id);
CREATE INDEX IF NOT EXISTS orders_order_date_idx ON orders (order_date);

COMMENT ON TABLE customers IS 'Who may order; one row per e-mail address';
COMMENT ON COLUMN customers.customer_id IS 'Given by the shop, never used twice';
COMMENT ON COLUMN customers.email IS 'Lower case, unique';
COMMENT ON COLUMN customers.age IS 'In years at registration, NULL if not told';
COMMENT ON COLUMN customers.city IS 'Where the customer lives, in the spelling of the country';
COMMENT ON COLUMN customers.notes IS 'Free text of the service desk, may run over several lines';
COMMENT ON CONSTRAINT customers_age_check ON customers IS 'Minors may not order';

COMMENT ON TABLE products IS 'What can be ordered';
COMMENT ON COLUMN products.price IS 'Today''s price in EUR; orders keep the price of their day';
COMMENT ON COLUMN products.stock_quantity IS 'Pieces in the warehouse';

COMMENT ON TABLE orders IS 'One product ordered by one customer';
COMMENT ON COLUMN orders.unit_price IS 'Price in EUR on the day of the order';
COMMENT ON COLUMN orders.total_amount IS 'quantity * unit_price';
COMMENT ON COLUMN orders.order_date IS 'When the order came in';
COMMENT ON INDEX orders_order_date_idx IS 'For the monthly report';
