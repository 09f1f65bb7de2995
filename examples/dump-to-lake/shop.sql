--
-- PostgreSQL database dump
--

SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;

CREATE TABLE public.customers (
    id integer NOT NULL,
    name character varying(40) NOT NULL,
    since date
);

CREATE TABLE public.orders (
    id integer NOT NULL,
    customer_id integer NOT NULL,
    total numeric(9,2),
    note text
);

COPY public.customers (id, name, since) FROM stdin;
1	Ada	2024-02-29
2	Grace	\N
\.

COPY public.orders (id, customer_id, total, note) FROM stdin;
10	1	19.90	two lines\nof text
11	1	5.00	\N
12	2	750.50	a tab\there
\.

ALTER TABLE ONLY public.customers ADD CONSTRAINT customers_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.orders ADD CONSTRAINT orders_pkey PRIMARY KEY (id);

--
-- PostgreSQL database dump complete
--
