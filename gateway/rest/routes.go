package rest

import (
	"net/http"
	"slices"
	"strings"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

// route is a method at a path. A segment that begins with { stands for any that is not empty.
type route struct {
	method   string
	segments []string
	// rpc is nil for one of ownRoutes. bodyField is the field of its request that the body is, * for all of it.
	rpc       protoreflect.MethodDescriptor
	bodyField string
	// anyType says that a body may be of any type, and that nobody looks; own that the route is Sluice's.
	anyType, own bool
}

func (r route) path() string { return "/" + strings.Join(r.segments, "/") }

// routes are all there are: what the protos' annotations say, and ownRoutes. The OpenAPI document and docs/rest.md are
// made of them too.
var routes = func() []route {
	var out []route
	for _, f := range []protoreflect.FileDescriptor{sluicev1.File_sluice_v1_connector_proto, sluicev1.File_sluice_v1_plugin_proto,
		sluicev1.File_sluice_v1_cluster_proto, sluicev1.File_sluice_v1_logger_proto} {
		for i := range f.Services().Len() {
			methods := f.Services().Get(i).Methods()
			for j := range methods.Len() {
				rule, ok := proto.GetExtension(methods.Get(j).Options(), annotations.E_Http).(*annotations.HttpRule)
				if !ok || rule == nil {
					continue
				}
				for _, r := range append([]*annotations.HttpRule{rule}, rule.GetAdditionalBindings()...) {
					one := routeOf(r)
					one.rpc, one.bodyField = methods.Get(j), r.GetBody()
					out = append(out, one)
				}
			}
		}
	}
	for _, r := range ownRoutes {
		out = append(out, route{method: r.method, segments: split(r.path), anyType: true})
	}
	return out
}()

func routeOf(r *annotations.HttpRule) route {
	out, path := route{}, ""
	switch p := r.GetPattern().(type) {
	case *annotations.HttpRule_Get:
		out.method, path = http.MethodGet, p.Get
	case *annotations.HttpRule_Post:
		out.method, path = http.MethodPost, p.Post
	case *annotations.HttpRule_Put:
		out.method, path = http.MethodPut, p.Put
	case *annotations.HttpRule_Patch:
		out.method, path = http.MethodPatch, p.Patch
	case *annotations.HttpRule_Delete:
		out.method, path = http.MethodDelete, p.Delete
	}
	out.segments, out.anyType, out.own = split(path), path == "/" || path == "/health", strings.HasPrefix(path, "/v1/")
	return out
}

func split(path string) []string { return strings.Split(strings.TrimPrefix(path, "/"), "/") }

// methodOrder is the order in which JAX-RS names the methods of a path.
var methodOrder = []string{http.MethodHead, http.MethodDelete, http.MethodPost, http.MethodGet, http.MethodOptions, http.MethodPut, http.MethodPatch}

// find finds the route of a request, and the methods of its path as JAX-RS counts them: HEAD goes with GET, OPTIONS with
// all, and of any type. No methods mean that there is no such path. Names are compared as they were sent, so that an encoded
// one is another.
func find(method, path string) (route, []string) {
	segments := split(path)
	if method == http.MethodHead {
		method = http.MethodGet
	}
	at, has := route{anyType: true}, map[string]bool{}
	for _, r := range routes {
		if !r.matches(segments) {
			continue
		}
		if has[r.method] = true; r.method == method {
			at = r
		}
	}
	if len(has) == 0 {
		return at, nil
	}
	has[http.MethodHead], has[http.MethodOptions] = has[http.MethodGet], true
	return at, slices.DeleteFunc(slices.Clone(methodOrder), func(m string) bool { return !has[m] })
}

func (r route) matches(segments []string) bool {
	if len(segments) != len(r.segments) {
		return false
	}
	for i, s := range r.segments {
		if strings.HasPrefix(s, "{") {
			if segments[i] == "" {
				return false
			}
		} else if s != segments[i] {
			return false
		}
	}
	return true
}

// queryKeys are the parameters that any route takes, and whether all of their values count.
var queryKeys = map[string]bool{"connectorsOnly": false, "includeTasks": false, "onlyFailed": false, "version": false, "scope": false, "connector": false, "expand": true}
