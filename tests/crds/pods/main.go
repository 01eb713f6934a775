// Command podcheck reads rendered objects as Kubernetes' own types do, and judges their pods by the restricted
// Pod Security Standard, with the code that enforces it in an API server.
//
// Standard input is one JSON list of objects. Standard output is one list, too: for every object what a strict
// decoder refuses (unknown fields, wrong types), and what the standard forbids.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	kubeflow "github.com/kubeflow/training-operator/pkg/apis/kubeflow.org/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	kjson "sigs.k8s.io/json"
	coscheduling "sigs.k8s.io/scheduler-plugins/apis/scheduling/v1alpha1"
	volcano "volcano.sh/apis/pkg/apis/scheduling/v1beta1"
)

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
	found := verdict{Decoding: []string{}, Forbidden: []string{}}
	var meta struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
	}
	if err := json.Unmarshal(object, &meta); err != nil {
		fail(err)
	}
	switch meta.APIVersion + " " + meta.Kind {
	case "networking.k8s.io/v1 NetworkPolicy":
		found.Decoding = strict(object, &networkingv1.NetworkPolicy{})
	case "scheduling.x-k8s.io/v1alpha1 PodGroup":
		found.Decoding = strict(object, &coscheduling.PodGroup{})
	case "scheduling.volcano.sh/v1beta1 PodGroup":
		found.Decoding = strict(object, &volcano.PodGroup{})
	case "kubeflow.org/v1 PyTorchJob":
		job := &kubeflow.PyTorchJob{}
		found.Decoding = strict(object, job)
		for _, replica := range job.Spec.PyTorchReplicaSpecs {
			found.Forbidden = append(found.Forbidden, restricted(evaluator, &replica.Template)...)
		}
	default:
		found.Decoding = []string{fmt.Sprintf("kind %q of %q is not expected", meta.Kind, meta.APIVersion)}
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

func restricted(evaluator policy.Evaluator, template *corev1.PodTemplateSpec) []string {
	level := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	problems := []string{}
	for _, result := range evaluator.EvaluatePod(level, &template.ObjectMeta, &template.Spec) {
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
