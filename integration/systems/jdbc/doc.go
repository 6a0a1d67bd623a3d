// Package jdbc runs the JDBC connectors against real databases, PostgreSQL and MariaDB, which the harness starts, and the sink
// beside Debezium's on a real Kafka Connect worker. It says what to install where that is missing. Build tag: integration.
package jdbc
