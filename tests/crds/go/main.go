// Command crdcheck answers what an API server of the pinned Kubernetes version would say, without one.
//
// Standard input is one JSON document: the texts of CustomResourceDefinitions, and cases to judge. Standard
// output is one, too: what is wrong with each definition, and for every case its errors, its unknown fields
// (which `fieldValidation=Strict` refuses) and the object as it would be stored, defaults filled in. Texts of
// YAML are answered by the JSON that kubectl makes of them, quantities by whether Kubernetes' type takes them.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/install"
	v1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	crdvalidation "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/objectmeta"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apiextensions-apiserver/pkg/registry/customresource"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/validation/field"
	genericrequest "k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"
	"sigs.k8s.io/yaml"
)

type input struct {
	Definitions []string   `json:"definitions"`
	Cases       []testCase `json:"cases"`
	Texts       []string   `json:"texts"`
	Quantities  []string   `json:"quantities"`
}

// testCase is an object to create, or, with Old, to change.
type testCase struct {
	Object map[string]any `json:"object"`
	Old    map[string]any `json:"old"`
}

type output struct {
	Definitions map[string][]problem `json:"definitions"`
	Cases       []verdict            `json:"cases"`
	Texts       []reading            `json:"texts"`
	Quantities  []bool               `json:"quantities"`
}

// reading is YAML as kubectl turns it into JSON: the JSON, or why there is none.
type reading struct {
	JSON  string `json:"json"`
	Error string `json:"error"`
}

type problem struct {
	Field   string `json:"field"`
	Type    string `json:"type"`
	Message string `json:"message"`
}

type verdict struct {
	Errors  []problem      `json:"errors"`
	Unknown []string       `json:"unknown"`
	Object  map[string]any `json:"object"`
}

// checker judges objects of one kind.
type checker struct {
	structural *structuralschema.Structural
	strategy   rest.RESTCreateUpdateStrategy
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "crdcheck:", err)
		os.Exit(1)
	}
}

func run() error {
	var in input
	decoder := json.NewDecoder(os.Stdin)
	if err := decoder.Decode(&in); err != nil {
		return err
	}
	out := output{Definitions: map[string][]problem{}, Cases: []verdict{}}
	checkers := map[string]*checker{}
	for _, text := range in.Definitions {
		definition, errs, err := load(text)
		if err != nil {
			return err
		}
		out.Definitions[definition.Name] = problems(errs)
		if len(errs) > 0 {
			continue
		}
		if checkers[definition.Spec.Names.Kind], err = newChecker(definition); err != nil {
			return err
		}
	}
	for number, one := range in.Cases {
		kind, _ := one.Object["kind"].(string)
		judge, known := checkers[kind]
		if !known {
			return fmt.Errorf("case %d: no valid definition of kind %q", number, kind)
		}
		out.Cases = append(out.Cases, judge.verdict(one))
	}
	for _, text := range in.Texts {
		out.Texts = append(out.Texts, convert(text))
	}
	for _, text := range in.Quantities {
		_, err := resource.ParseQuantity(text)
		out.Quantities = append(out.Quantities, err == nil)
	}
	return json.NewEncoder(os.Stdout).Encode(out)
}

func convert(text string) reading {
	converted, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		return reading{Error: err.Error()}
	}
	return reading{JSON: string(converted)}
}

// load reads a definition and validates it as the API server does: the structural schema, its defaults, and
// its rules, compiled and with their estimated cost.
func load(text string) (*apiextensions.CustomResourceDefinition, field.ErrorList, error) {
	scheme := runtime.NewScheme()
	install.Install(scheme)
	var read v1.CustomResourceDefinition
	if err := yaml.UnmarshalStrict([]byte(text), &read); err != nil {
		return nil, nil, err
	}
	scheme.Default(&read)
	var definition apiextensions.CustomResourceDefinition
	if err := scheme.Convert(&read, &definition, nil); err != nil {
		return nil, nil, err
	}
	// What the API server itself writes before it validates.
	definition.Status.StoredVersions = []string{read.Spec.Versions[0].Name}
	return &definition, crdvalidation.ValidateCustomResourceDefinition(context.Background(), &definition), nil
}

func newChecker(definition *apiextensions.CustomResourceDefinition) (*checker, error) {
	version := definition.Spec.Versions[0]
	whole, err := apiextensions.GetSchemaForVersion(definition, version.Name)
	if err != nil {
		return nil, err
	}
	structural, err := structuralschema.NewStructural(whole.OpenAPIV3Schema)
	if err != nil {
		return nil, err
	}
	if errs := structuralschema.ValidateStructural(nil, structural); len(errs) > 0 {
		return nil, errs.ToAggregate()
	}
	validator, _, err := validation.NewSchemaValidator(whole.OpenAPIV3Schema)
	if err != nil {
		return nil, err
	}
	kind := schema.GroupVersionKind{
		Group: definition.Spec.Group, Version: version.Name, Kind: definition.Spec.Names.Kind,
	}
	subresources, err := apiextensions.GetSubresourcesForVersion(definition, version.Name)
	if err != nil {
		return nil, err
	}
	strategy := customresource.NewStrategy(
		nil, true, kind, validator, nil, structural, subresources.Status, nil, nil,
	)
	return &checker{structural: structural, strategy: strategy}, nil
}

func (c *checker) verdict(one testCase) verdict {
	object, unknown, malformed := c.read(one.Object)
	if malformed != nil {
		// The object is refused as it is decoded: nobody judges it any more.
		return verdict{Errors: problems(field.ErrorList{malformed}), Unknown: unknown, Object: object.Object}
	}
	ctx := genericrequest.WithNamespace(context.Background(), object.GetNamespace())
	var errs field.ErrorList
	if one.Old == nil {
		c.strategy.PrepareForCreate(ctx, object)
		errs = c.strategy.Validate(ctx, object)
	} else {
		old, _, _ := c.read(one.Old)
		old.SetResourceVersion("1")
		object.SetResourceVersion("1")
		c.strategy.PrepareForUpdate(ctx, object, old)
		errs = c.strategy.ValidateUpdate(ctx, object, old)
	}
	return verdict{Errors: problems(errs), Unknown: unknown, Object: object.Object}
}

// read does what decoding a request does: read the metadata by their type, prune and report unknown fields,
// drop nulls, fill in defaults.
func (c *checker) read(given map[string]any) (*unstructured.Unstructured, []string, *field.Error) {
	text, err := json.Marshal(given)
	if err != nil {
		panic(err)
	}
	object := map[string]any{}
	if err := utiljson.Unmarshal(text, &object); err != nil {
		panic(err)
	}
	meta, found, unknown, err := objectmeta.GetObjectMetaWithOptions(
		object, objectmeta.ObjectMetaOptions{ReturnUnknownFieldPaths: true},
	)
	read := &unstructured.Unstructured{Object: object}
	if err != nil {
		return read, []string{}, field.Invalid(field.NewPath("metadata"), "", err.Error())
	}
	unknown = append(unknown, pruning.PruneWithOptions(
		object, c.structural, true, structuralschema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true},
	)...)
	defaulting.PruneNonNullableNullsWithoutDefaults(object, c.structural)
	defaulting.Default(object, c.structural)
	if found {
		if err := objectmeta.SetObjectMeta(object, meta); err != nil {
			panic(err)
		}
	}
	if read.GetNamespace() == "" {
		read.SetNamespace("default")
	}
	if unknown == nil {
		unknown = []string{}
	}
	return read, unknown, nil
}

func problems(errs field.ErrorList) []problem {
	found := []problem{}
	for _, err := range errs {
		found = append(found, problem{Field: err.Field, Type: string(err.Type), Message: err.Detail})
	}
	return found
}
