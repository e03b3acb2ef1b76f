// What operator-framework's library finds in a bundle: the checks of the command operator-verify, and those that
// operator-sdk calls the suite operatorframework. Two are left out: that of platforms pulls the operator's image, and
// that of OpenShift's community is deprecated.
//
// One JSON object a line for each finding; the exit status says only whether the bundle could be read.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/operator-framework/api/pkg/manifests"
	"github.com/operator-framework/api/pkg/validation"
	"github.com/operator-framework/api/pkg/validation/errors"
	interfaces "github.com/operator-framework/api/pkg/validation/interfaces"
)

var checks = interfaces.Validators{
	validation.ClusterServiceVersionValidator,
	validation.CustomResourceDefinitionValidator,
	validation.BundleValidator,
	validation.ObjectValidator,
	validation.OperatorGroupValidator,
	validation.OperatorHubV2Validator,
	validation.StandardCapabilitiesValidator,
	validation.StandardCategoriesValidator,
	validation.AlphaDeprecatedAPIsValidator,
	validation.GoodPracticesValidator,
}

type finding struct {
	Level  string `json:"level"`
	About  string `json:"about"`
	Detail string `json:"detail"`
}

func tell(level string, about string, findings []errors.Error) error {
	for _, found := range findings {
		line := finding{Level: level, About: about, Detail: found.Error()}
		if err := json.NewEncoder(os.Stdout).Encode(line); err != nil {
			return err
		}
	}
	return nil
}

func run(folder string, kubernetes string) error {
	bundle, err := manifests.GetBundleFromDir(folder)
	if err != nil {
		return err
	}
	objects := append(bundle.ObjectsToValidate(), map[string]string{"k8s-version": kubernetes})
	for _, result := range checks.Validate(objects...) {
		if err := tell("error", result.Name, result.Errors); err != nil {
			return err
		}
		if err := tell("warning", result.Name, result.Warnings); err != nil {
			return err
		}
	}
	return nil
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "bundle-findings FOLDER KUBERNETES, such as: bundle-findings olm/bundle 1.34.0")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
