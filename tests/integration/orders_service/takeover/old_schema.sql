-- The tables of the system before this one, as its migrations left them, those among them that others of its services use.

create table migrations (id serial primary key, "timestamp" bigint not null, name varchar not null);
insert into migrations ("timestamp", name) values (1760273299649, 'CreateOrdersTable1760273299649'),
    (1760442563762, 'AddRosreestrUsersAndOrderField1760442563762'), (1760985600000, 'AddLastCheckedAtToOrders1760985600000');

create table users (id serial primary key, email varchar(255) not null unique, is_active boolean not null default true);
insert into users (email) values ('somebody@example.org');

create table orders (
    id                                 serial primary key,
    user_id                            integer not null,
    cad_num                            varchar(255) not null,
    rosreestr_order_num                varchar(255),
    recipient_name                     varchar(255) not null,
    status                             varchar(255) default 'Добавлен в очередь',
    is_complete                        boolean default false,
    comment                            varchar(255),
    rosreestr_registration_started_at  timestamp with time zone,
    rosreestr_registered_at            timestamp with time zone,
    completed_at                       timestamp with time zone,
    created_at                         timestamp with time zone not null default now(),
    updated_at                         timestamp with time zone not null default now(),
    deleted_at                         timestamp with time zone
);

create table rosreestr_users (
    id                  serial primary key,
    username            varchar(255) not null unique,
    password_encrypted  text not null,
    gu_login            varchar(255) not null,
    comment             varchar(500),
    created_at          timestamp with time zone default now(),
    updated_at          timestamp with time zone default now(),
    deleted_at          timestamp with time zone
);
alter table orders add column rosreestr_user_id integer;
alter table orders add column last_checked_at timestamp with time zone;
