#!/bin/sh
# The main job, on the embedded sandbox, through the kubectl of PATH.
set -eu
exec kubectl sagemaker sandbox -- sh -c '
run() { printf "\n\033[1m$ %s\033[0m\n" "$*"; "$@"; }
run kubectl get trainingjobs.sagemaker.aws.amazon.com
run kubectl sagemaker status
run kubectl smlogs trainingjob xgboost-mnist -f
'
