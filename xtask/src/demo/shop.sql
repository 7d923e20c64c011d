-- A made-up shop: nobody in it exists.
CREATE TABLE customers (id int PRIMARY KEY, name text NOT NULL, email text UNIQUE, card text, city text);
CREATE TABLE products (id int PRIMARY KEY, name text NOT NULL, price numeric(10,2) NOT NULL);
CREATE TABLE orders (id int PRIMARY KEY, customer int NOT NULL REFERENCES customers, product int NOT NULL REFERENCES products, state text NOT NULL DEFAULT 'new', placed date NOT NULL);
INSERT INTO customers VALUES
  (1, 'Ada Example', 'ada@example.com', '4111 1111 1111 1111', 'Springfield'),
  (2, 'Bo Sample', 'bo@example.org', '5500 0000 0000 0004', 'Shelbyville'),
  (3, 'Cy Placeholder', 'cy@example.net', '3400 0000 0000 009', 'Ogdenville'),
  (4, 'Di Madeup', 'di@example.com', '3000 0000 0000 04', 'North Haverbrook');
INSERT INTO products VALUES (1, 'Portcullis, oak', 249.00), (2, 'Drawbridge chain', 79.90), (3, 'Moat water, 1000 l', 12.50);
INSERT INTO orders VALUES
  (1, 1, 1, 'new', '2024-03-01'), (2, 2, 3, 'sent', '2024-03-02'),
  (3, 3, 2, 'new', '2024-03-05'), (4, 1, 3, 'returned', '2024-03-09');
