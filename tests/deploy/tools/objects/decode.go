package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	apps "k8s.io/api/apps/v1"
	autoscaling "k8s.io/api/autoscaling/v2"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	strict "sigs.k8s.io/json"
	"sigs.k8s.io/yaml"
)

// By "apiVersion kind": a new object of that type.
var types = map[string]func() any{
	"apps/v1 Deployment":                            func() any { return new(apps.Deployment) },
	"apps/v1 StatefulSet":                           func() any { return new(apps.StatefulSet) },
	"autoscaling/v2 HorizontalPodAutoscaler":        func() any { return new(autoscaling.HorizontalPodAutoscaler) },
	"networking.k8s.io/v1 NetworkPolicy":            func() any { return new(networking.NetworkPolicy) },
	"policy/v1 PodDisruptionBudget":                 func() any { return new(policy.PodDisruptionBudget) },
	"v1 ConfigMap":                                  func() any { return new(core.ConfigMap) },
	"v1 PersistentVolumeClaim":                      func() any { return new(core.PersistentVolumeClaim) },
	"v1 Pod":                                        func() any { return new(core.Pod) },
	"v1 Secret":                                     func() any { return new(core.Secret) },
	"v1 Service":                                    func() any { return new(core.Service) },
	"v1 ServiceAccount":                             func() any { return new(core.ServiceAccount) },
	"monitoring.coreos.com/v1 ServiceMonitor":       func() any { return new(serviceMonitor) },
	"monitoring.coreos.com/v1 PrometheusRule":       func() any { return new(prometheusRule) },
	"kubeadm.k8s.io/v1beta4 ClusterConfiguration":   func() any { return new(clusterConfiguration) },
	"kubeadm.k8s.io/v1beta4 InitConfiguration":      func() any { return new(initConfiguration) },
	"kustomize.config.k8s.io/v1beta1 Kustomization": func() any { return new(kustomization) },
}

// decode fails on anything that the types do not have: unknown fields, duplicate ones, wrong types.
func decode([]string) error {
	documents := utilyaml.NewYAMLReader(bufio.NewReader(os.Stdin))
	var objects []any
	for number := 1; ; number++ {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		object, err := decodeOne(document)
		if err != nil {
			return fmt.Errorf("document %d: %w", number, err)
		}
		if object != nil {
			objects = append(objects, object)
		}
	}
	if len(objects) == 0 {
		return errors.New("no objects")
	}
	return json.NewEncoder(os.Stdout).Encode(objects)
}

func decodeOne(document []byte) (any, error) {
	text, err := yaml.YAMLToJSONStrict(document)
	if err != nil {
		return nil, err
	}
	if bytes.Equal(text, []byte("null")) {
		return nil, nil
	}
	var kind struct{ APIVersion, Kind string }
	if err := json.Unmarshal(text, &kind); err != nil {
		return nil, err
	}
	name := kind.APIVersion + " " + kind.Kind
	create, known := types[name]
	if !known {
		return nil, fmt.Errorf("no type for %q", name)
	}
	object := create()
	problems, err := strict.UnmarshalStrict(text, object)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(problems) > 0 {
		return nil, fmt.Errorf("%s: %w", name, errors.Join(problems...))
	}
	return object, nil
}
