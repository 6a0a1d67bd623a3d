package rest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
)

// signature is the default of inter.worker.verification.algorithms.
const signature = "HmacSHA256"

// javaMacs are the algorithms that any JVM has.
var javaMacs = map[string]bool{"HMACMD5": true, "HMACSHA1": true, "HMACSHA224": true, "HMACSHA256": true, "HMACSHA384": true, "HMACSHA512": true}

// internalHandler answers what the workers of a Kafka Connect cluster call at one another. Sluice's processes talk gRPC, so
// nobody has a key here with which a request could be signed, and none is ever right; but tools find the paths, and the
// answers of a worker to a stranger.
func internalHandler(tasks bool) runtime.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request, _ map[string]string) {
		code, message := refuseInternal(r, tasks)
		writeError(w, code, message, true)
	}
}

// refuseInternal finds why a request is refused, in a worker's order.
func refuseInternal(r *http.Request, tasks bool) (code int, message string) {
	if tasks {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return http.StatusBadRequest, "the body cannot be read: " + err.Error()
		}
		var configs []map[string]any
		if err := json.Unmarshal(body, &configs); err != nil {
			return http.StatusBadRequest, "the body must be a list of task configs: " + err.Error()
		}
	}
	algorithm, signed := r.Header.Get("X-Connect-Request-Signature-Algorithm"), r.Header.Get("X-Connect-Authorization")
	switch {
	case algorithm == "" || signed == "":
		return http.StatusBadRequest, "Internal request missing required signature"
	case !javaMacs[strings.ToUpper(algorithm)]:
		return http.StatusBadRequest, fmt.Sprintf("Algorithm %s not available", algorithm)
	}
	if _, err := base64.StdEncoding.DecodeString(signed); err != nil {
		return http.StatusBadRequest, "X-Connect-Authorization: it is not Base64: " + err.Error()
	}
	if algorithm != signature {
		return http.StatusBadRequest, fmt.Sprintf("This worker does not support the '%s' key signing algorithm used by other workers. This worker is currently configured to use: [%s]. "+
			"Check that all workers' configuration files permit the same set of signature algorithms, and correct any misconfigured worker and restart it.", algorithm, signature)
	}
	return http.StatusForbidden, "Internal request contained invalid signature."
}
