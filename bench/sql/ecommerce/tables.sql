CREATE TABLE customers (
    customer_id       integer      NOT NULL,
    first_name        text         NOT NULL,
    last_name         text         NOT NULL,
    email             varchar(254) NOT NULL,
    age               smallint,
    city              text         NOT NULL,
    registration_date date         NOT NULL,
    notes             text,
    CONSTRAINT customers_first_name_check CHECK (first_name <> ''),
    CONSTRAINT customers_last_name_check CHECK (last_name <> ''),
    CONSTRAINT customers_age_check CHECK (age BETWEEN 18 AND 120)
);
CREATE TABLE products (
    product_id     integer        NOT NULL,
    name           text           NOT NULL,
    description    text,
    category       text           NOT NULL,
    price          numeric(10, 2) NOT NULL,
    stock_quantity integer        NOT NULL DEFAULT 0,
    CONSTRAINT products_price_check CHECK (price >= 0),
    CONSTRAINT products_stock_quantity_check CHECK (stock_quantity >= 0)
);
CREATE TABLE orders (
    order_id     bigint         NOT NULL,
    customer_id  integer        NOT NULL,
    product_id   integer        NOT NULL,
    quantity     integer        NOT NULL,
    unit_price   numeric(10, 2) NOT NULL,
    total_amount numeric(12, 2) NOT NULL,
    order_date   timestamptz    NOT NULL,
    status       text           NOT NULL DEFAULT 'new',
    CONSTRAINT orders_quantity_check CHECK (quantity > 0),
    CONSTRAINT orders_unit_price_check CHECK (unit_price >= 0),
    CONSTRAINT orders_total_amount_check CHECK (total_amount >= 0),
    CONSTRAINT orders_status_check CHECK (status IN ('new', 'paid', 'shipped', 'delivered', 'returned'))
);
