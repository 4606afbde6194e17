# A new user's first ten minutes, in a folder of their own, after `pip install '.[all]'`.
pathnet-evo --version
pathnet-evo presets digits

# A first run, short; its page is runs/digits/report.html.
pathnet-evo run digits --seeds 2 --set 'stages.*.generations=5'
pathnet-evo runs
pathnet-evo check runs/digits

# What else there is, and another strategy beside the first.
pathnet-evo options strategy
pathnet-evo options strategy racing
pathnet-evo run digits --name raced --seeds 2 --set 'stages.*.generations=5' --set strategy=racing
pathnet-evo compare runs/digits runs/raced --html compared.html

# The results as tables, and the network as a file.
pathnet-evo export runs/digits --csv tables
pathnet-evo export runs/digits --model digits.safetensors --card card.md
python - <<'PYTHON'
import pathnet_evo

network = pathnet_evo.load_network("digits.safetensors")
run = pathnet_evo.load_run("runs/digits")
print(network, run, run.to_frame(), sep="\n")
print(network.predict(run.task("second pair").test_inputs[:3]))
PYTHON

# A plugin of one's own, tested by its contract; `pip install ./my-lab` adds it to the program.
pathnet-evo new task my-lab
cd my-lab && PYTHONPATH=. python -m pytest -q && cd ..

pathnet-evo rm --yes runs/raced
