// Command objectcheck reads what the chart renders as the types of Kubernetes, of the Prometheus operator and of
// cert-manager do, and judges pods by the restricted Pod Security Standard, with the code that enforces it.
//
// Standard input is one JSON list of objects. Standard output is one list, too: for every object what a strict
// decoder refuses (unknown fields, wrong types), and what the standard forbids.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	certmanager "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	admission "k8s.io/api/admissionregistration/v1"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbac "k8s.io/api/rbac/v1"
	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	kjson "sigs.k8s.io/json"
)

var types = map[string]func() any{
	"admissionregistration.k8s.io/v1/ValidatingAdmissionPolicy": func() any {
		return &admission.ValidatingAdmissionPolicy{}
	},
	"admissionregistration.k8s.io/v1/ValidatingAdmissionPolicyBinding": func() any {
		return &admission.ValidatingAdmissionPolicyBinding{}
	},
	"apiextensions.k8s.io/v1/CustomResourceDefinition": func() any { return &apiextensions.CustomResourceDefinition{} },
	"apps/v1/Deployment":                               func() any { return &apps.Deployment{} },
	"cert-manager.io/v1/Certificate":                   func() any { return &certmanager.Certificate{} },
	"monitoring.coreos.com/v1/PodMonitor":              func() any { return &monitoring.PodMonitor{} },
	"monitoring.coreos.com/v1/PrometheusRule":          func() any { return &monitoring.PrometheusRule{} },
	"monitoring.coreos.com/v1/ServiceMonitor":          func() any { return &monitoring.ServiceMonitor{} },
	"networking.k8s.io/v1/NetworkPolicy":               func() any { return &networking.NetworkPolicy{} },
	"policy/v1/PodDisruptionBudget":                    func() any { return &policyv1.PodDisruptionBudget{} },
	"rbac.authorization.k8s.io/v1/ClusterRole":         func() any { return &rbac.ClusterRole{} },
	"rbac.authorization.k8s.io/v1/ClusterRoleBinding":  func() any { return &rbac.ClusterRoleBinding{} },
	"rbac.authorization.k8s.io/v1/Role":                func() any { return &rbac.Role{} },
	"rbac.authorization.k8s.io/v1/RoleBinding":         func() any { return &rbac.RoleBinding{} },
	"v1/ConfigMap":                                     func() any { return &core.ConfigMap{} },
	"v1/Pod":                                           func() any { return &core.Pod{} },
	"v1/Secret":                                        func() any { return &core.Secret{} },
	"v1/Service":                                       func() any { return &core.Service{} },
	"v1/ServiceAccount":                                func() any { return &core.ServiceAccount{} },
}

type verdict struct {
	Decoding  []string `json:"decoding"`
	Forbidden []string `json:"forbidden"`
}

func main() {
	var objects []json.RawMessage
	if err := json.NewDecoder(os.Stdin).Decode(&objects); err != nil {
		fail(err)
	}
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks())
	if err != nil {
		fail(err)
	}
	verdicts := make([]verdict, 0, len(objects))
	for _, object := range objects {
		verdicts = append(verdicts, judge(evaluator, object))
	}
	if err := json.NewEncoder(os.Stdout).Encode(verdicts); err != nil {
		fail(err)
	}
}

func judge(evaluator policy.Evaluator, object json.RawMessage) verdict {
	var meta struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
	}
	if err := json.Unmarshal(object, &meta); err != nil {
		fail(err)
	}
	made, known := types[meta.APIVersion+"/"+meta.Kind]
	if !known {
		return verdict{[]string{fmt.Sprintf("%s %s is not expected", meta.APIVersion, meta.Kind)}, []string{}}
	}
	into := made()
	found := verdict{strict(object, into), []string{}}
	switch one := into.(type) {
	case *apps.Deployment:
		found.Forbidden = restricted(evaluator, &core.Pod{ObjectMeta: one.Spec.Template.ObjectMeta, Spec: one.Spec.Template.Spec})
	case *core.Pod:
		found.Forbidden = restricted(evaluator, one)
	}
	return found
}

func strict(object json.RawMessage, into any) []string {
	problems := []string{}
	wrong, err := kjson.UnmarshalStrict(object, into)
	if err != nil {
		problems = append(problems, err.Error())
	}
	for _, one := range wrong {
		problems = append(problems, one.Error())
	}
	return problems
}

func restricted(evaluator policy.Evaluator, pod *core.Pod) []string {
	level := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	problems := []string{}
	for _, result := range evaluator.EvaluatePod(level, &pod.ObjectMeta, &pod.Spec) {
		if !result.Allowed {
			problems = append(problems, result.ForbiddenReason+": "+result.ForbiddenDetail)
		}
	}
	return problems
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
