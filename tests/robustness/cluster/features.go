package cluster

import (
	"os/exec"
	"strings"
)

const notInBuild = "Not in this build"

// Features names the configuration keys, "section.key", that a binary knows and has built in.
type Features map[string]bool

// ReadFeatures asks the binary for its configuration reference.
func ReadFeatures(binary string) (Features, error) {
	output, err := exec.Command(binary, "config", "reference", "--format", "toml").Output()
	if err != nil {
		return nil, err
	}
	features := Features{}
	section, comment := "", ""
	for _, line := range strings.Split(string(output), "\n") {
		switch {
		case line == "":
			comment = ""
		case strings.HasPrefix(line, "["):
			section = strings.Trim(line, "[]")
			comment = ""
		case strings.HasPrefix(line, "# "):
			comment += " " + line[2:]
		default:
			key, _, is := strings.Cut(strings.TrimPrefix(line, "#"), " = ")
			if is && !strings.Contains(comment, notInBuild) {
				features[section+"."+key] = true
			}
		}
	}
	return features, nil
}
