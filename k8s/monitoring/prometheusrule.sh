#!/bin/sh
# The alert rules as the Prometheus operator wants them: k8s/monitoring/prometheusrule.sh | kubectl apply -f -
set -eu
cd "$(dirname "$0")/../.."
cat <<'HEAD'
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: lattice
  labels: {app.kubernetes.io/name: lattice}
spec:
HEAD
sed 's/^\(.\)/  \1/' "${1:-deploy/prometheus/lattice.rules.yml}"
