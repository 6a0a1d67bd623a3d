// Package keystore reads what Java's keys ssl.keystore.* and ssl.truststore.* name: stores in JKS, PKCS12 or PEM form, in
// files or, PEM, in the config itself. What a file holds is told from its beginning, as Java does: the types JKS and PKCS12
// stand for either.
//
// Errors name the key and the file, and never a password. Start with Keys.
package keystore
