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
		out = append(out, route{method: r.method, segments: split(r.path)})
	}
	return out
}()

func routeOf(r *annotations.HttpRule) route {
	switch p := r.GetPattern().(type) {
	case *annotations.HttpRule_Get:
		return route{method: http.MethodGet, segments: split(p.Get)}
	case *annotations.HttpRule_Post:
		return route{method: http.MethodPost, segments: split(p.Post)}
	case *annotations.HttpRule_Put:
		return route{method: http.MethodPut, segments: split(p.Put)}
	case *annotations.HttpRule_Patch:
		return route{method: http.MethodPatch, segments: split(p.Patch)}
	case *annotations.HttpRule_Delete:
		return route{method: http.MethodDelete, segments: split(p.Delete)}
	}
	return route{}
}

func split(path string) []string { return strings.Split(strings.TrimPrefix(path, "/"), "/") }

// allowed are the methods of a path, as JAX-RS counts them: HEAD goes with GET, OPTIONS with all. None means that there
// is no such path. Names are compared as they were sent, so that an encoded one is another.
func allowed(path string) []string {
	segments := split(path)
	var out []string
	for _, r := range routes {
		if r.matches(segments) && !slices.Contains(out, r.method) {
			out = append(out, r.method)
		}
	}
	if len(out) == 0 {
		return nil
	}
	if slices.Contains(out, http.MethodGet) {
		out = append(out, http.MethodHead)
	}
	return append(out, http.MethodOptions)
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
