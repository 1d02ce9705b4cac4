# Chengyun 城运. `make help` lists what there is.
SHELL := /bin/sh
PY := .venv/bin/python
.DEFAULT_GOAL := help
.PHONY: run install reset test check bench up help dev

run: install ## 启动演示（LAN=1：供手机访问的 HTTPS） | run everything here (LAN=1: HTTPS for phones)
	@exec $(PY) app.py demo $(if $(filter-out 0,$(LAN)),--lan)

install: ## 只准备运行环境 .venv | only make the environment
	@deploy/install.sh run

reset: ## 停止并清空 var/ | stop everything and clear var/
	@if [ -x $(PY) ]; then exec $(PY) -m deploy.reset; else exec python3 -m deploy.reset; fi

dev:
	@deploy/install.sh dev

test: dev ## 全部测试（REQUIRE_SERVICES=1：缺少服务即失败） | all tests this machine can run
	@exec $(PY) -m pytest -ra $(TESTS)

check: dev ## 静态检查与文档测试 | ruff, mypy, import contracts, docs
	@failed=0; \
	$(PY) -m ruff check . || failed=1; \
	$(PY) -m ruff format --check -q . || { echo "ruff format ."; failed=1; }; \
	$(PY) -m mypy --strict || failed=1; \
	$(PY) -m mypy --strict app.py settings.py || failed=1; \
	PYTHONPATH=. .venv/bin/lint-imports --no-logo || failed=1; \
	$(PY) -m pytest -q tests/docs || failed=1; \
	exit $$failed

bench: dev ## 全部测量，结果写入 tests/bench/results/（QUICK=0：完整） | all benches, results in tests/bench/results/
	@for name in $$($(PY) app.py bench --list); do \
		$(PY) app.py bench $$name --out tests/bench/results $(if $(filter 0,$(QUICK)),,--quick) || exit 1; \
	done

up: ## 用容器启动真实服务（先填 deploy/compose.env） | real services in containers (fill deploy/compose.env first)
	@test -f deploy/compose.env || { echo "chengyun: 请先复制并填写 deploy/compose.env | first copy deploy/compose.env.example to deploy/compose.env and fill it in" >&2; exit 1; }
	@exec docker compose --env-file deploy/compose.env -f deploy/compose.yaml up --build

help: ## 本页 | this page
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1\t/' | expand -t 10
