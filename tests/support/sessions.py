"""The sessions whose screens are held: every verb, with and without what may go wrong."""

import shutil
from pathlib import Path

from support.made_up import (
    COMPARISONS,
    CORES,
    MACHINE,
    PORTS,
    RESULTS,
    ROAD,
    TRAININGS,
    VERDICTS,
    advised,
    always,
    answers,
    compared,
    copied,
    counted,
    data_session,
    few_boards,
    firmware_of,
    others,
    page,
    profiled,
    swept,
    wave,
)
from support.screens import Session, golden

SESSIONS = {
    "inspect": Session(
        """
        qcskit inspect coded_2 --no-cost
        qcskit inspect usq_omp --no-cost
        qcskit inspect int8 --no-cost
        qcskit inspect int8/encoder.tflite
        qcskit inspect pairs_range --no-cost
        qcskit inspect int8 --no-cost --json | bundle files cost operators
        qcskit inspect --no-cost
        """,
        lambda: golden("coded_2", "usq_omp", "int8", "pairs_range"),
    ),
    "cost": Session(
        """
        qcskit inspect klt_rice --no-cost --count --core Cortex-M4 --core AVR --core RV32IMC
        qcskit inspect klt_rice --json --count --no-cost | instructions.rv32 instructions.uno instructions.microbit
        qcskit inspect usq_omp --json --count --no-cost | instructions.uno
        qcskit inspect usq_omp --no-cost --json --core AVR --flash 6912 --ram 100 | cores
        qcskit inspect usq_omp --no-cost --json --core AVR --flash 6911 | name
        qcskit inspect usq_omp --no-cost --json --core AVR --core Cortex-M4 --ram 99 --flash 6.75k | name
        qcskit inspect usq_omp --no-cost --json --core RV32IMC --flash 1M | name
        qcskit inspect usq_omp --core Cortex-M5
        qcskit inspect usq_omp --ram 2g
        qcskit inspect usq_omp --core RV32IMC --picture x.svg --json | name
        qcskit inspect usq_omp --core AVR --picture x.pdf --json | name
        """,
        lambda: golden("klt_rice", "usq_omp"),
        CORES,
    ),
    "profile": Session(
        """
        qcskit profile usq_omp -n 3
        qcskit profile usq_omp -n 5
        qcskit profile usq_omp -n 4 -b uno
        qcskit profile usq_omp -n 4 --json | board frames per_encode layers
        qcskit profile usq_omp -q -n 5
        """,
        lambda: golden("usq_omp"),
        {
            "qcskit.cli.profile.counted": lambda codec, board, packets: counted(codec, board, min(packets, 4)),
            "qcskit.firmware.profile.profile": answers(
                profiled(1600, 1600),
                profiled(1500, 1800, cycles=1700.4),
                profiled(1, 2, cycles_low=None, loads=None, stores=None),
                profiled(1600, 1600),
                profiled(1600, 1600),
            ),
        },
    ),
    "simulate": Session(
        """
        qcskit simulate coded_2 -n 100 -j 1
        qcskit simulate usq_omp -n 100 -j 1 --data few.csv --in counts
        qcskit simulate usq_omp -n 50 --resume -q
        qcskit simulate usq_omp -n 50 -o none.json --resume
        """,
        lambda: (golden("coded_2", "usq_omp"), wave()),
        {"time.perf_counter": always(0.0)},
    ),
    "verdicts": Session(
        """
        qcskit simulate usq_omp
        qcskit simulate usq_omp -o v.json
        qcskit simulate usq_omp -q
        qcskit simulate usq_omp
        """,
        lambda: golden("usq_omp"),
        {"qcskit.cli.simulate.run_simulate": answers(*VERDICTS)},
    ),
    "packets": Session(
        """
        qcskit encode lossless few.csv --in counts
        qcskit encode lossless few.csv --in counts -o few.csv2
        qcskit encode lossless few.csv --in counts -o p.hex
        qcskit encode lossless wave.csv --column counts -o w.bin --hop 24 --json
        qcskit encode lossless wave.csv --column mV -o m.hex
        qcskit encode lossless wave.csv --column mV --fill-gaps -o m.hex --in units
        qcskit encode lossless loud.csv --in units --as csv
        qcskit encode lossless loud.csv --in units --as c -q
        qcskit encode lossless
        qcskit decode lossless p.hex
        qcskit decode lossless p.hex -o x.npy -q
        qcskit decode pairs_range short.hex -o y.npy
        qcskit decode usq_omp bad.hex -o z.csv
        qcskit decode usq_omp bad.hex -o z.csv -s decode.on_damage=nan
        cat z.csv
        qcskit decode lossless nowhere
        qcskit decode p.hex lossless
        qcskit decode native short.hex
        """,
        data_session,
    ),
    "hil": Session(
        """
        qcskit hil usq_omp
        qcskit hil usq_omp -p emu:native -p emu:cortex-m4
        qcskit hil usq_omp -p emu:native --json | verdict
        qcskit hil usq_omp -p emu:native -q
        qcskit hil usq_omp -p emu:native -p emu:cortex-m4 --soak 90s
        qcskit hil usq_omp -p emu:native --soak 90x
        qcskit hil usq_omp -p emu:native --soak 90s --data few.csv --in counts
        qcskit hil usq_omp -p emu:native --resume -q
        qcskit hil usq_omp -p emu:native --flash uno
        """,
        lambda: (golden("usq_omp"), wave()),
        {
            "qcskit.hil.fleet.run_fleet": answers(*RESULTS, RESULTS[0], *RESULTS),
            "qcskit.cli.demo.default_port": always("emu:chosen"),
        },
    ),
    "measured": Session(
        """
        qcskit hil usq_omp -p emu:native -n 60 --json | verdict data devices.0.answered devices.0.packet_bytes.mean
        qcskit hil klt_rice -p emu:native --data few.csv --in counts -q
        qcskit hil klt_rice -p emu:native --data few.csv --in counts -n 1 --json | data.packets devices.0.answered
        qcskit hil klt_rice -p emu:native --data few.csv --in counts -n 9 --json | data.packets devices.0.answered
        """,
        lambda: (golden("usq_omp", "klt_rice"), wave()),
    ),
    "compare": Session(
        """
        qcskit compare base.json same.json
        qcskit compare lone.json slow.json
        qcskit compare lone.json slow.json --nmse-db 0.1 --ticks-percent 0.5 --rate-percent 5 --round-trip-percent 0
        qcskit compare slow.json lone.json --json | ok verdict notes differing
        qcskit compare lone.json gone.json
        qcskit compare lone.json image.json
        qcskit compare base.json lone.json -q
        qcskit compare base.json other.json
        qcskit compare lone.json slow.json --nmse-db -1
        qcskit compare lone.json slow.json --rate-percent inf
        qcskit compare base.json none.json
        """,
        compared,
    ),
    "report": Session(
        """
        qcskit report usq_omp --no-cost
        qcskit report usq_omp --no-cost --json
        qcskit report usq_omp --no-cost -r base.json
        qcskit report usq_omp --no-cost -q
        qcskit report none.csv
        """,
        lambda: (golden("usq_omp"), compared(), shutil.copy("base.json", "results.json")),
        {"qcskit.hil.report.page.write_report": page},
    ),
    "advise": Session(
        """
        qcskit advise steps.csv --no-compare --json | units_per_count integers step bits says
        qcskit advise windows.npy --no-compare --json | samples rate_hz unit units_per_count integers step bits n m
        qcskit advise plain.csv --no-cost --write q.toml --rate 100 -n 16 -m 4
        cat q.toml
        qcskit advise plain.csv --bits 1.5 --json | comparison.best comparison.verdict comparison.codecs
        qcskit advise plain.csv --bits 17
        qcskit advise plain.csv --fill no
        qcskit advise plain.csv --rate 0
        qcskit advise plain.csv -o p.png
        """,
        advised,
        {"qcskit.cli.advise_compare.compared": answers(*COMPARISONS)},
    ),
    "machine": Session(
        """
        qcskit doctor
        qcskit doctor --json | python packages tools install board_problems absent_extras
        qcskit boards
        qcskit boards --json | problems
        qcskit ports
        qcskit ports --no-probe
        qcskit config decode
        qcskit config decod
        """,
        replaced=MACHINE
        | {
            "qcskit.firmware.boards": few_boards,
            "qcskit.firmware.Board.ready": property(lambda board: bool(board.emulator)),
            "qcskit.firmware.Board.missing": property(lambda board: [("x", "gcc-avr")] * (board.core == "AVR")),
            "qcskit.hil.ports.find_ports": always(PORTS),
        },
    ),
    "bundles": Session(
        """
        qcskit design transform
        qcskit design transform --codec transform
        qcskit design
        qcskit design transform -o b --json | bundle name model_id
        qcskit export run --to plain -o c
        qcskit export run -o d --json | bundle package
        qcskit export run --codec transform
        qcskit export m.h5
        qcskit export m.tflite --pairs x y
        qcskit export m.keras --levels 5
        qcskit export m.keras --test x -q
        """,
        lambda: [Path(name).write_text("") for name in ("m.h5", "m.tflite", "m.keras")],
        {
            "qcskit.cli.design.run_design": copied("klt_rice", 1),
            "qcskit.cli.export.run_export": copied("int8", 1),
            "qcskit.cli.export._run_name": always("int8"),
        },
    ),
    "packages": Session(
        """
        qcskit package usq_omp --to plain
        qcskit package int8 -t plain -o a_folder_whose_name_would_be_broken_on_a_screen_of_a_hundred_columns_if_it_were
        qcskit package usq_omp --to plain --version 0.2.0
        qcskit package usq_omp int8 -t arduino -o lib --agent --lib-name mine --json | library version replaced next
        qcskit package usq_omp -t cmsis-pack --version 1.2.3 --json | package next
        qcskit package usq_omp -t zip
        qcskit new probe
        qcskit new probe
        qcskit new other --json -t zephyr --board cortex-m4
        qcskit new third -q --codec coded
        cat probe/qcs.toml
        cat other/.github/workflows/ci.yml
        qcskit firmware build usq_omp
        qcskit firmware build usq_omp -b uno -o image.elf --json
        qcskit flash usq_omp
        """,
        lambda: golden("usq_omp", "int8"),
        {
            "qcskit.cli.firmware.built": firmware_of,
            "qcskit.firmware.image.write_image": lambda board, elf, path: path.write_bytes(elf.read_bytes()),
        },
    ),
    "train": Session(
        """
        qcskit train
        qcskit train -o runs/b/run
        qcskit train --json
        qcskit train --rate nan
        """,
        replaced={"qcskit.cli.train.run_training": answers(*TRAININGS)},
    ),
    "sweep": Session(
        """
        qcskit sweep --variant ce-usq-omp --rate 1.5
        qcskit sweep --variant ce-usq-omp --variant deepqcs --rate 1.5 --seed 1
        qcskit sweep --variant ce-usq-omp --variant deepqcs --rate 1.5 --seed 1 --seed 2 -q
        qcskit sweep --variant ce-usq-omp --json | table
        """,
        replaced={"qcskit.training.sweep.run_sweep": swept},
    ),
    "demo": Session(
        """
        qcskit demo
        qcskit demo --example ecg -p emu:native
        qcskit demo --example egc
        """,
        replaced=ROAD,
    ),
    "kept": Session(
        """
        qcskit simulate -q -n 50 -j 1
        qcskit report --no-cost -q
        qcskit report -o notes.txt
        """,
        others,
    ),
}
