//go:build verify

package verify

import (
	"fmt"
	"maps"
	"net"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const nonRoot = 65532 // the user of the images

var reference = regexp.MustCompile(`\$\(([A-Z0-9_]+)\)`)

// checker collects the faults of one rendering.
type checker struct {
	t      *testing.T
	all    binaries
	r      rendering
	where  string
	faults []string
}

// check says what is wrong with a rendering, for the binaries that are to run in it.
func check(t *testing.T, all binaries, r rendering) []string {
	t.Helper()
	c := &checker{t: t, all: all, r: r}
	pools, has := map[string]string{}, map[string]bool{}
	for _, d := range r.deployments {
		c.where = "Deployment " + d.Metadata.Name
		p := d.Spec.Template.Spec
		if len(p.Containers) != 1 {
			c.fault("it has %d containers, not one", len(p.Containers))
			continue
		}
		s, faults := all.read(p.Containers[0], func(file string) (string, bool) { return r.file(p, file) })
		for _, f := range faults {
			c.fault("%s", f)
		}
		if s.binary.name == "" {
			continue
		}
		has[s.binary.name] = true
		c.keys(p.Containers[0], s)
		c.ports(d, s)
		c.stopping(p, s)
		c.security(p)
		c.selectors(d)
		c.controlPlane(d, s)
		if pool := s.get("sluice.pool"); s.binary.name == workerName {
			if other, ok := pools[pool]; ok {
				c.fault("sluice.pool=%s is also that of %s", pool, other)
			}
			pools[pool] = d.Metadata.Name
		}
	}
	c.where = "all"
	for name := range all {
		if !has[name] {
			c.fault("no Deployment runs %s", name)
		}
	}
	if pools["default"] == "" {
		c.fault("no executors are of the pool default, where connectors go that name none")
	}
	c.services()
	for _, a := range r.accounts {
		c.where = "ServiceAccount " + a.Metadata.Name
		c.want(a.AutomountServiceAccountToken != nil && !*a.AutomountServiceAccountToken, "automountServiceAccountToken is not false")
	}
	return c.faults
}

func (c *checker) fault(format string, args ...any) {
	c.faults = append(c.faults, c.where+": "+fmt.Sprintf(format, args...))
}

func (c *checker) want(ok bool, format string, args ...any) {
	if !ok {
		c.fault(format, args...)
	}
}

// file is a file of a ConfigMap that a pod mounts.
func (r rendering) file(p pod, file string) (string, bool) {
	for _, m := range p.Containers[0].VolumeMounts {
		for _, v := range p.Volumes {
			if m.Name != v.Name || v.ConfigMap == nil || path.Dir(file) != m.MountPath {
				continue
			}
			for _, cm := range r.configMaps {
				if text, ok := cm.Data[path.Base(file)]; ok && cm.Metadata.Name == v.ConfigMap.Name {
					return text, true
				}
			}
		}
	}
	return "", false
}

// keys wants every flag and variable to be known to this binary, and every key of the file to some binary.
func (c *checker) keys(ct container, s settings) {
	c.want(len(ct.Command) == 0, "command %q: the image's entrypoint is the command", ct.Command)
	for _, k := range slices.Sorted(maps.Keys(s.flags)) {
		_, ok := s.binary.keys[k]
		c.want(ok, "argument --%s: %s has no such flag", k, s.binary.name)
	}
	for _, k := range slices.Sorted(maps.Keys(s.env)) {
		_, ok := s.binary.keys[k]
		ok = ok || s.binary.name == workerName && len(c.all.strangers(c.t, []string{k})) == 0
		c.want(ok, "a SLUICE_ variable gives %s: %s has no such key", k, s.binary.name)
	}
	for _, k := range c.all.strangers(c.t, slices.Sorted(maps.Keys(s.file))) {
		c.fault("%s: no process has the key %s", s.configPath, k)
	}
	before := map[string]bool{}
	for _, e := range ct.Env {
		for _, m := range reference.FindAllStringSubmatch(e.Value, -1) {
			c.want(before[m[1]], "variable %s: $(%s) is not among those before it", e.Name, m[1])
		}
		c.want(e.From == nil || e.From.Secret == nil || e.From.Secret.Optional, "variable %s: its secret must be optional", e.Name)
		before[e.Name] = true
	}
}

// listens are the ports that a process listens on, by key.
func (s settings) listens() map[string]int {
	out := map[string]int{}
	for key := range s.binary.keys {
		v := s.get(key)
		switch key {
		case "listeners":
			if s.binary.name == workerName {
				continue // an executor takes its name from it, and serves nothing there
			}
			if u, err := url.Parse(v); err == nil {
				v = u.Host
			}
		case "sluice.grpc.listen", "sluice.admin.listen":
		default:
			if strings.HasSuffix(key, ".listen") {
				out[key] = -1 // a listener that nobody here knows
			}
			continue
		}
		out[key] = portOf(v)
	}
	return out
}

func portOf(address string) int {
	_, p, err := net.SplitHostPort(address)
	if err != nil {
		return -1
	}
	n, err := strconv.Atoi(p)
	if err != nil {
		return -1
	}
	return n
}

// ports wants the ports of the container to be those that the process listens on, and probes and annotations to name
// what the admin server serves.
func (c *checker) ports(d deployment, s settings) {
	ct, listens := d.Spec.Template.Spec.Containers[0], s.listens()
	for _, p := range ct.Ports {
		c.want(slices.Contains(slices.Collect(maps.Values(listens)), p.ContainerPort), "port %s %d: the process listens on %v", p.Name, p.ContainerPort, listens)
	}
	for _, key := range slices.Sorted(maps.Keys(listens)) {
		c.want(ct.port(float64(listens[key])) != 0, "%s=%s is no port of the container", key, s.get(key))
	}
	admin := listens["sluice.admin.listen"]
	for what, p := range map[string]*probe{"/livez startupProbe": ct.StartupProbe, "/livez livenessProbe": ct.LivenessProbe, "/readyz readinessProbe": ct.ReadinessProbe} {
		want, name, _ := strings.Cut(what, " ")
		if p == nil {
			c.fault("%s is missing", name)
			continue
		}
		c.want(p.HTTPGet.Path == want && slices.Contains(s.binary.admin, want), "%s: path %s is not %s, or the process has none such (%v)", name, p.HTTPGet.Path, want, s.binary.admin)
		c.want(ct.port(p.HTTPGet.Port) == admin, "%s: port %v is not that of sluice.admin.listen, %d", name, p.HTTPGet.Port, admin)
	}
	a := d.Spec.Template.Metadata.Annotations
	c.want(a["prometheus.io/scrape"] == "true" && a["prometheus.io/port"] == strconv.Itoa(admin) && a["prometheus.io/path"] == "/metrics" && slices.Contains(s.binary.admin, "/metrics"),
		"the prometheus.io annotations %v do not name /metrics on port %d", a, admin)
	for key, listen := range map[string]string{"sluice.grpc.advertise": "sluice.grpc.listen", "sluice.advertise": "sluice.admin.listen"} {
		if _, ok := s.binary.keys[key]; ok {
			c.want(strings.HasPrefix(s.get(key), "$(POD_IP):") && portOf(s.get(key)) == listens[listen], "%s=%s is not the pod's address with the port of %s", key, s.get(key), listen)
		}
	}
}

// stopping wants Kubernetes to wait for longer than the process takes at most to end.
func (c *checker) stopping(p pod, s settings) {
	pre := p.Containers[0].Lifecycle.PreStop
	stop, err := strconv.Atoi(s.get("sluice.stop.timeout.ms"))
	c.want(err == nil && p.TerminationGracePeriodSeconds*1000 > stop+pre.Sleep.Seconds*1000,
		"terminationGracePeriodSeconds %d is not longer than sluice.stop.timeout.ms %s and preStop's %d s", p.TerminationGracePeriodSeconds, s.get("sluice.stop.timeout.ms"), pre.Sleep.Seconds)
	c.want(pre.Exec == nil, "preStop: the image has no shell; let it sleep")
	c.want(s.binary.name != gatewayName || pre.Sleep.Seconds > 0, "preStop: a gateway waits until no Service sends it requests any more")
}

func (c *checker) security(p pod) {
	ct := p.Containers[0]
	c.want(p.SecurityContext.RunAsNonRoot && p.SecurityContext.RunAsUser == nonRoot, "securityContext: it must run as %d, and say runAsNonRoot", nonRoot)
	c.want(p.SecurityContext.SeccompProfile.Type == "RuntimeDefault", "securityContext: seccompProfile is not RuntimeDefault")
	c.want(ct.SecurityContext.ReadOnlyRootFilesystem, "securityContext: readOnlyRootFilesystem is not true")
	c.want(ct.SecurityContext.AllowPrivilegeEscalation != nil && !*ct.SecurityContext.AllowPrivilegeEscalation, "securityContext: allowPrivilegeEscalation is not false")
	c.want(slices.Equal(ct.SecurityContext.Capabilities.Drop, []string{"ALL"}), "securityContext: it does not drop ALL capabilities")
	c.want(ct.Resources.Requests["cpu"] != nil && ct.Resources.Requests["memory"] != nil, "resources: it requests no cpu or no memory")
	c.want(p.AutomountServiceAccountToken != nil && !*p.AutomountServiceAccountToken, "automountServiceAccountToken is not false")
	c.want(p.EnableServiceLinks != nil && !*p.EnableServiceLinks, "enableServiceLinks is not false: variables of Services would be taken for keys of Sluice's")
	c.want(slices.ContainsFunc(c.r.accounts, func(a account) bool { return a.Metadata.Name == p.ServiceAccountName }), "serviceAccountName %q: there is none such", p.ServiceAccountName)
	for _, v := range p.Volumes {
		c.want(v.Claim == nil || slices.Contains(c.r.claims, v.Claim.ClaimName), "volume %s: its PersistentVolumeClaim is not there", v.Name)
	}
}

// selectors wants a Deployment's pods to be selected by itself, by its own spread, and by one budget.
func (c *checker) selectors(d deployment) {
	pods, own := d.Spec.Template.Metadata.Labels, d.Spec.Selector.MatchLabels
	c.want(own.in(pods), "its selector %v does not select its pods %v", own, pods)
	for _, o := range c.r.deployments {
		c.want(o.Metadata.Name == d.Metadata.Name || !own.in(o.Spec.Template.Metadata.Labels), "its selector %v selects the pods of %s too", own, o.Metadata.Name)
	}
	c.want(len(d.Spec.Template.Spec.TopologySpreadConstraints) > 0, "topologySpreadConstraints are missing")
	for _, s := range d.Spec.Template.Spec.TopologySpreadConstraints {
		c.want(maps.Equal(s.LabelSelector.MatchLabels, own), "topologySpreadConstraints: %v is not its selector %v", s.LabelSelector.MatchLabels, own)
	}
	n := 0
	for _, b := range c.r.budgets {
		if b.Spec.Selector.MatchLabels.in(pods) {
			n++
			c.want(maps.Equal(b.Spec.Selector.MatchLabels, own), "PodDisruptionBudget %s: its selector %v is not the Deployment's, %v", b.Metadata.Name, b.Spec.Selector.MatchLabels, own)
			c.want(b.Spec.MaxUnavailable == float64(1), "PodDisruptionBudget %s: maxUnavailable is %v, not 1", b.Metadata.Name, b.Spec.MaxUnavailable)
		}
	}
	c.want(n == 1, "%d PodDisruptionBudgets select its pods, not one", n)
}

// controlPlane wants replicas to share an etcd or to be alone with a volume, and the others to find all of them.
func (c *checker) controlPlane(d deployment, s settings) {
	if s.binary.name == controlName {
		etcd, dir := s.get("sluice.etcd.endpoints"), s.get("sluice.data.dir")
		c.want((etcd == "") != (dir == ""), "it needs one of sluice.etcd.endpoints (%q) and sluice.data.dir (%q)", etcd, dir)
		if dir != "" {
			c.want(d.Spec.Replicas == 1 && d.Spec.Strategy.Type == "Recreate", "with sluice.data.dir it must be one replica, with the strategy Recreate")
			c.want(c.onVolume(d.Spec.Template.Spec, dir), "sluice.data.dir=%s is on no PersistentVolumeClaim", dir)
		}
		return
	}
	to := s.get("sluice.control.plane")
	for _, svc := range c.r.services {
		if host, port, err := net.SplitHostPort(to); err == nil && host == svc.Metadata.Name {
			c.want(svc.Spec.ClusterIP == "None" && !svc.Spec.PublishNotReadyAddresses, "sluice.control.plane=%s: its Service must be headless, and name replicas that are ready only", to)
			c.want(len(svc.Spec.Ports) == 1 && strconv.Itoa(svc.Spec.Ports[0].Port) == port, "sluice.control.plane=%s: its Service has another port", to)
			for _, o := range c.r.deployments {
				if svc.Spec.Selector.in(o.Spec.Template.Metadata.Labels) {
					c.want(o.Spec.Template.Spec.Containers[0].program() == controlName, "sluice.control.plane=%s: its Service selects %s", to, o.Metadata.Name)
				}
			}
			return
		}
	}
	c.fault("sluice.control.plane=%s: there is no such Service", to)
}

func (c *checker) onVolume(p pod, dir string) bool {
	for _, m := range p.Containers[0].VolumeMounts {
		for _, v := range p.Volumes {
			if v.Name == m.Name && v.Claim != nil && strings.HasPrefix(dir+"/", m.MountPath+"/") {
				return true
			}
		}
	}
	return false
}

// services wants each Service to lead to one Deployment's port; a headless one's port must be the pods' own.
func (c *checker) services() {
	for _, s := range c.r.services {
		c.where = "Service " + s.Metadata.Name
		n := 0
		for _, d := range c.r.deployments {
			if !s.Spec.Selector.in(d.Spec.Template.Metadata.Labels) || len(d.Spec.Template.Spec.Containers) != 1 {
				continue
			}
			n++
			for _, p := range s.Spec.Ports {
				to := d.Spec.Template.Spec.Containers[0].port(p.TargetPort)
				c.want(to != 0, "targetPort %v is no port of %s", p.TargetPort, d.Metadata.Name)
				c.want(s.Spec.ClusterIP != "None" || to == p.Port, "port %d: nothing translates a headless Service's port, and the pods' is %d", p.Port, to)
			}
		}
		c.want(n == 1, "it selects the pods of %d Deployments, not of one", n)
	}
	for _, b := range c.r.budgets {
		c.where = "PodDisruptionBudget " + b.Metadata.Name
		c.want(slices.ContainsFunc(c.r.deployments, func(d deployment) bool { return b.Spec.Selector.MatchLabels.in(d.Spec.Template.Metadata.Labels) }), "it selects nothing")
	}
}
