package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/lint"
	"helm.sh/helm/v3/pkg/lint/support"
	"helm.sh/helm/v3/pkg/strvals"
)

const (
	releaseName = "release"
	namespace   = "default"
)

// The chart's folder and the values that the files and "-set KEY=VALUE" make together.
func chartArguments(arguments []string) (string, map[string]any, error) {
	values := map[string]any{}
	if len(arguments) == 0 {
		return "", nil, fmt.Errorf("which chart?")
	}
	for at := 1; at < len(arguments); at++ {
		if arguments[at] == "-set" && at+1 < len(arguments) {
			at++
			if err := strvals.ParseInto(arguments[at], values); err != nil {
				return "", nil, err
			}
			continue
		}
		file, err := chartutil.ReadValuesFile(arguments[at])
		if err != nil {
			return "", nil, err
		}
		values = chartutil.MergeTables(file, values)
	}
	return arguments[0], values, nil
}

func render(arguments []string) error {
	folder, values, err := chartArguments(arguments)
	if err != nil {
		return err
	}
	chart, err := loader.Load(folder)
	if err != nil {
		return err
	}
	release := chartutil.ReleaseOptions{Name: releaseName, Namespace: namespace, Revision: 1, IsInstall: true}
	capabilities := chartutil.DefaultCapabilities.Copy()
	capabilities.APIVersions = append(capabilities.APIVersions, "monitoring.coreos.com/v1")
	all, err := chartutil.ToRenderValues(chart, values, release, capabilities)
	if err != nil {
		return err
	}
	texts, err := engine.Render(chart, all)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		if strings.HasSuffix(name, ".yaml") && strings.TrimSpace(texts[name]) != "" {
			fmt.Printf("---\n# Source: %s\n%s\n", name, texts[name])
		}
	}
	return nil
}

func lintChart(arguments []string) error {
	folder, values, err := chartArguments(arguments)
	if err != nil {
		return err
	}
	// Warnings count; that the chart has no icon is information.
	linter := lint.All(folder, values, namespace, true)
	for _, message := range linter.Messages {
		fmt.Println(message)
	}
	if linter.HighestSeverity >= support.WarningSev {
		return fmt.Errorf("the chart has warnings")
	}
	return nil
}
