// Package jdbc runs the JDBC connectors against real databases: PostgreSQL and MariaDB, which the harness starts, and says
// what to install where they are missing. Build tag: integration.
package jdbc
