package api

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/sluice-project/sluice/internal/errs"
	"github.com/sluice-project/sluice/internal/pluginversion"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

// Plugins serves PluginService. Safe for concurrent use.
type Plugins struct {
	sluicev1.UnimplementedPluginServiceServer
	store     Reader
	validator Validator
}

// NewPlugins returns the service.
func NewPlugins(s Reader, v Validator) *Plugins { return &Plugins{store: s, validator: v} }

// ListPlugins implements PluginService. It lists the catalogues of all pools, and what connected
// executors have before their catalogue is written; a class once for each type and version.
func (s *Plugins) ListPlugins(ctx context.Context, req *sluicev1.ListPluginsRequest) (*sluicev1.ListPluginsResponse, error) {
	connectorsOnly := req.ConnectorsOnly == nil || isTrue(req.GetConnectorsOnly())
	view := fresh(ctx, s.store)
	type identity struct {
		class, version string
		kind           sluicev1.PluginType
	}
	found := map[identity]*sluicev1.Plugin{}
	add := func(p *sluicev1.Plugin) {
		kind := p.GetType()
		if kind == sluicev1.PluginType_PLUGIN_TYPE_UNSPECIFIED || connectorsOnly && kind != sluicev1.PluginType_PLUGIN_TYPE_SINK && kind != sluicev1.PluginType_PLUGIN_TYPE_SOURCE {
			return
		}
		id := identity{p.GetClass(), p.GetVersion(), kind}
		if found[id] == nil {
			found[id] = &sluicev1.Plugin{Class: p.GetClass(), Aliases: p.GetAliases(), Type: kind, Version: p.GetVersion()}
		}
	}
	for _, p := range view.Plugins {
		add(p.Value.GetPlugin())
	}
	for _, session := range view.Sessions {
		for _, p := range session.Value.GetPlugins() {
			add(p)
		}
	}
	out := &sluicev1.ListPluginsResponse{}
	for _, p := range found {
		out.Plugins = append(out.Plugins, p)
	}
	// Kafka Connect's order of types is the order of the enum.
	slices.SortFunc(out.Plugins, func(a, b *sluicev1.Plugin) int {
		return cmp.Or(cmp.Compare(a.GetType(), b.GetType()), strings.Compare(a.GetClass(), b.GetClass()), strings.Compare(a.GetVersion(), b.GetVersion()))
	})
	return out, nil
}

// GetPluginConfig implements PluginService. Definitions are those of the catalogues, so that no executor needs to live.
func (s *Plugins) GetPluginConfig(ctx context.Context, req *sluicev1.GetPluginConfigRequest) (*sluicev1.GetPluginConfigResponse, error) {
	spec := pluginversion.Latest
	if req.Version != nil {
		spec = req.GetVersion()
	}
	wanted, err := pluginversion.Parse(spec)
	if err != nil {
		return nil, errs.New(errs.VersionInvalid, "Invalid version specification: %s", spec)
	}
	var found []*sluicev1.Plugin
	for _, p := range fresh(ctx, s.store).Plugins {
		if p := p.Value.GetPlugin(); p.GetClass() == req.GetPlugin() || slices.Contains(p.GetAliases(), req.GetPlugin()) {
			found = append(found, p)
		}
	}
	if len(found) == 0 {
		return nil, errs.New(errs.PluginUnknown, "Unknown plugin %s.", req.GetPlugin())
	}
	// A class of several kinds is what Kafka Connect lists first; of several versions, the newest counts.
	slices.SortStableFunc(found, func(a, b *sluicev1.Plugin) int {
		return cmp.Or(cmp.Compare(a.GetType(), b.GetType()), strings.Compare(a.GetClass(), b.GetClass()), pluginversion.Compare(b.GetVersion(), a.GetVersion()))
	})
	var versions []string
	for _, p := range found {
		if p.GetType() != found[0].GetType() || p.GetClass() != found[0].GetClass() {
			break
		}
		if wanted.Allows(p.GetVersion()) {
			return &sluicev1.GetPluginConfigResponse{Plugin: p}, nil
		}
		versions = append(versions, p.GetVersion())
	}
	return nil, errs.New(errs.VersionUnknown, "Plugin %s not found that matches the version range %s, available versions: [%s]", found[0].GetClass(), wanted, strings.Join(slices.Compact(versions), ", "))
}

// ValidateConfig implements PluginService.
func (s *Plugins) ValidateConfig(ctx context.Context, req *sluicev1.ValidateConfigRequest) (*sluicev1.ValidateConfigResponse, error) {
	config, err := normal(req.GetConfig())
	if err != nil {
		return nil, err
	}
	if class, ok := lookup(config, keyClass); ok && !strings.HasSuffix(stripped(class), stripped(req.GetPlugin())) {
		return nil, errs.New(errs.PluginMismatch, "Included connector type %s does not match request type %s", class, req.GetPlugin())
	}
	if err := checkClass(config); err != nil {
		return nil, err
	}
	if err := checkSize(config); err != nil {
		return nil, err
	}
	// Where the config names no pool, any executor that has the plugin may say what it thinks.
	pool := ""
	if _, ok := lookup(config, keyPool); ok {
		if pool, err = poolOf(config); err != nil {
			return nil, err
		}
	}
	r, err := s.validator.Validate(ctx, pool, config)
	if err != nil {
		return nil, err
	}
	return &sluicev1.ValidateConfigResponse{Name: r.GetName(), ErrorCount: r.GetErrorCount(), Groups: r.GetGroups(), Configs: r.GetConfigs(), Warnings: r.GetWarnings()}, nil
}

// CheckConfig implements PluginService.
func (s *Plugins) CheckConfig(ctx context.Context, req *sluicev1.CheckConfigRequest) (*sluicev1.CheckConfigResponse, error) {
	r, err := s.ValidateConfig(ctx, &sluicev1.ValidateConfigRequest{Plugin: req.GetPlugin(), Config: req.GetConfig()})
	if err != nil {
		return nil, err
	}
	out := &sluicev1.CheckConfigResponse{Name: r.GetName(), ErrorCount: r.GetErrorCount(), Warnings: r.GetWarnings()}
	for _, c := range r.GetConfigs() {
		if v := c.GetValue(); len(v.GetErrors()) > 0 {
			out.Errors = append(out.Errors, &sluicev1.KeyErrors{Name: v.GetName(), Errors: v.GetErrors()})
		}
	}
	return out, nil
}

// stripped is a plugin's name without a trailing Connector, as Kafka Connect compares them.
func stripped(name string) string {
	const suffix = "Connector"
	if len(name) > len(suffix) {
		return strings.TrimSuffix(name, suffix)
	}
	return name
}
