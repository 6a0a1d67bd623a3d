//go:build verify

package verify

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"sigs.k8s.io/yaml"
)

type labels map[string]string

// in says whether every label of a selector is among those of an object. An empty selector selects nothing here.
func (l labels) in(of labels) bool {
	for k, v := range l {
		if of[k] != v {
			return false
		}
	}
	return len(l) > 0
}

type metadata struct {
	Name        string `json:"name"`
	Labels      labels `json:"labels"`
	Annotations labels `json:"annotations"`
}

type selector struct {
	MatchLabels labels `json:"matchLabels"`
}

type deployment struct {
	Metadata metadata `json:"metadata"`
	Spec     struct {
		Replicas int      `json:"replicas"`
		Selector selector `json:"selector"`
		Strategy struct {
			Type string `json:"type"`
		} `json:"strategy"`
		Template struct {
			Metadata metadata `json:"metadata"`
			Spec     pod      `json:"spec"`
		} `json:"template"`
	} `json:"spec"`
}

type pod struct {
	ServiceAccountName            string `json:"serviceAccountName"`
	AutomountServiceAccountToken  *bool  `json:"automountServiceAccountToken"`
	EnableServiceLinks            *bool  `json:"enableServiceLinks"`
	TerminationGracePeriodSeconds int    `json:"terminationGracePeriodSeconds"`
	SecurityContext               struct {
		RunAsNonRoot   bool `json:"runAsNonRoot"`
		RunAsUser      int  `json:"runAsUser"`
		SeccompProfile struct {
			Type string `json:"type"`
		} `json:"seccompProfile"`
	} `json:"securityContext"`
	TopologySpreadConstraints []struct {
		LabelSelector selector `json:"labelSelector"`
	} `json:"topologySpreadConstraints"`
	Containers []container `json:"containers"`
	Volumes    []struct {
		Name      string `json:"name"`
		ConfigMap *struct {
			Name string `json:"name"`
		} `json:"configMap"`
		Claim *struct {
			ClaimName string `json:"claimName"`
		} `json:"persistentVolumeClaim"`
	} `json:"volumes"`
}

type container struct {
	Name    string   `json:"name"`
	Image   string   `json:"image"`
	Command []string `json:"command"`
	Args    []string `json:"args"`
	Env     []struct {
		Name  string `json:"name"`
		Value string `json:"value"`
		From  *struct {
			Secret *struct {
				Optional bool `json:"optional"`
			} `json:"secretKeyRef"`
		} `json:"valueFrom"`
	} `json:"env"`
	Ports []struct {
		Name          string `json:"name"`
		ContainerPort int    `json:"containerPort"`
	} `json:"ports"`
	StartupProbe, LivenessProbe, ReadinessProbe *probe
	Lifecycle                                   struct {
		PreStop struct {
			Sleep struct {
				Seconds int `json:"seconds"`
			} `json:"sleep"`
			Exec json.RawMessage `json:"exec"`
		} `json:"preStop"`
	} `json:"lifecycle"`
	Resources struct {
		Requests map[string]any `json:"requests"`
	} `json:"resources"`
	SecurityContext struct {
		AllowPrivilegeEscalation *bool `json:"allowPrivilegeEscalation"`
		ReadOnlyRootFilesystem   bool  `json:"readOnlyRootFilesystem"`
		Capabilities             struct {
			Drop []string `json:"drop"`
		} `json:"capabilities"`
	} `json:"securityContext"`
	VolumeMounts []struct {
		Name      string `json:"name"`
		MountPath string `json:"mountPath"`
	} `json:"volumeMounts"`
}

type probe struct {
	HTTPGet struct {
		Path string `json:"path"`
		Port any    `json:"port"`
	} `json:"httpGet"`
}

type service struct {
	Metadata metadata `json:"metadata"`
	Spec     struct {
		ClusterIP                string `json:"clusterIP"`
		PublishNotReadyAddresses bool   `json:"publishNotReadyAddresses"`
		Selector                 labels `json:"selector"`
		Ports                    []struct {
			Port       int `json:"port"`
			TargetPort any `json:"targetPort"`
		} `json:"ports"`
	} `json:"spec"`
}

type budget struct {
	Metadata metadata `json:"metadata"`
	Spec     struct {
		MaxUnavailable any      `json:"maxUnavailable"`
		Selector       selector `json:"selector"`
	} `json:"spec"`
}

type configMap struct {
	Metadata metadata          `json:"metadata"`
	Data     map[string]string `json:"data"`
}

type account struct {
	Metadata                     metadata `json:"metadata"`
	AutomountServiceAccountToken *bool    `json:"automountServiceAccountToken"`
}

// rendering is what kustomize made of one directory.
type rendering struct {
	deployments []deployment
	services    []service
	budgets     []budget
	configMaps  []configMap
	accounts    []account
	claims      []string
}

// parse reads a rendering; a kind that nobody here checks is a fault, as nothing would keep it from rotting.
func parse(text string) (r rendering, err error) {
	for _, doc := range strings.Split(text, "\n---\n") {
		var head struct {
			Kind     string   `json:"kind"`
			Metadata metadata `json:"metadata"`
		}
		if err := yaml.Unmarshal([]byte(doc), &head); err != nil {
			return r, err
		}
		switch head.Kind {
		case "Deployment":
			err = add(&r.deployments, doc)
		case "Service":
			err = add(&r.services, doc)
		case "PodDisruptionBudget":
			err = add(&r.budgets, doc)
		case "ConfigMap":
			err = add(&r.configMaps, doc)
		case "ServiceAccount":
			err = add(&r.accounts, doc)
		case "PersistentVolumeClaim":
			r.claims = append(r.claims, head.Metadata.Name)
		default:
			err = fmt.Errorf("kind %q is checked by nobody: teach this package about it", head.Kind)
		}
		if err != nil {
			return r, fmt.Errorf("%s %s: %w", head.Kind, head.Metadata.Name, err)
		}
	}
	return r, nil
}

func add[T any](to *[]T, doc string) error {
	var v T
	if err := yaml.Unmarshal([]byte(doc), &v); err != nil {
		return err
	}
	*to = append(*to, v)
	return nil
}

// port is the number of a port that is given by name or number; 0 where the container has none such.
func (c container) port(p any) int {
	for _, has := range c.Ports {
		if p == has.Name || p == float64(has.ContainerPort) || p == strconv.Itoa(has.ContainerPort) {
			return has.ContainerPort
		}
	}
	return 0
}

// program is the name of the image, which is that of the binary in it.
func (c container) program() string {
	name := c.Image[strings.LastIndex(c.Image, "/")+1:]
	name, _, _ = strings.Cut(name, "@")
	name, _, _ = strings.Cut(name, ":")
	return name
}
