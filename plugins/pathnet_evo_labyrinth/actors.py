"""The things of a level as the engine's actors, in DECORATE: one state a line, or it crashes."""

from __future__ import annotations

import re

from pathnet_evo_labyrinth.level import Level

NUMBERS = {
    "player": 1,
    "spot": 14,
    "bottom": 9999,
    "apple": 20001,
    "lemon": 20002,
    "melon": 20003,
    "goal": 20004,
    "health": 20005,
    "armour": 20006,
    "opponent": 20007,
}
"""Numbers of things on a map; below 20000 they are the engine's own."""
START_AGAIN = 7
"""Number of the places to start, for teleports."""
PLAYER = 8
"""Number of the player, who is brought away from a goal once the step that reached it is over."""
SLOTS = (2, 3, 4, 5, 6, 7, 8, 9)
"""Weapon slots whose ammunition counts what was taken: the engine reports each slot's."""
EDIBLES = {"apple": "APPL", "lemon": "LEMN", "melon": "MELN"}
RESPAWN_SECONDS = 15
"""Health and armour come back so many seconds after they were taken."""
TICS = 35
"""The engine's steps a second."""

_TAKEN = """
actor Counts{kind} : Ammo
{{
  Inventory.Amount 1
  Inventory.MaxAmount 1000000
  +INVENTORY.IGNORESKILL
}}
actor Slot{kind} : Weapon
{{
  Weapon.AmmoType1 "Counts{kind}"
  Weapon.AmmoUse1 0
  Weapon.AmmoGive1 0
  +WEAPON.NOAUTOFIRE
  States
  {{
  Ready:
    TNT1 A 1 A_WeaponReady
    loop
  Select:
    TNT1 A 1 A_Raise
    loop
  Deselect:
    TNT1 A 1 A_Lower
    loop
  Fire:
    TNT1 A 1
    goto Ready
  Spawn:
    TNT1 A -1
    stop
  }}
}}
"""

_EDIBLE = """
actor Lab{kind} : CustomInventory {number}
{{
  Radius 20
  Height 32
  Inventory.PickupMessage ""
  Inventory.PickupSound ""
  States
  {{
  Spawn:
    {sprite} A -1 Bright
    stop
  Pickup:
    TNT1 A 0 A_GiveInventory("Counts{kind}", 1)
    stop
  }}
}}
"""

_GOAL = """
actor Labgoal : CustomInventory {number}
{{
  Radius 20
  Height 56
  Inventory.PickupMessage ""
  Inventory.PickupSound ""
  States
  {{
  Spawn:
    GOAL A -1 Bright
    stop
  Pickup:
    TNT1 A 0 A_JumpIfInventory("LabLeaving", 1, "Again")
    TNT1 A 0 A_GiveInventory("LabLeaving", 1)
    TNT1 A 0 A_GiveInventory("Countsgoal", 1)
    TNT1 A 0 Thing_ChangeTID(0, {player})
    TNT1 A 0 A_SpawnItemEx("LabSender", 0, 0, 0, 0, 0, 0, 0, SXF_SETTARGET)
    fail
  Again:
    TNT1 A 0
    fail
  }}
}}
actor LabLeaving : Inventory
{{
  Inventory.MaxAmount 1
}}
actor LabSender
{{
  +NOINTERACTION
  States
  {{
  Spawn:
    TNT1 A 1
    TNT1 A 0 A_TakeFromTarget("LabLeaving", 1)
    TNT1 A 0 TeleportOther({player}, {again}, 0)
    stop
  }}
}}
"""

_HEALTH = """
actor Labhealth : Health {number}
{{
  Radius 20
  Height 32
  Inventory.Amount 50
  Inventory.MaxAmount 100
  Inventory.PickupMessage ""
  Inventory.PickupSound ""
  Inventory.RespawnTics {respawn}
  +INVENTORY.ALWAYSRESPAWN
  States
  {{
  Spawn:
    HEAL A -1 Bright
    stop
  }}
}}
"""

_ARMOUR = """\
actor Labarmour : BasicArmorPickup {number}
{{
  Radius 20
  Height 32
  Armor.SaveAmount 100
  Armor.SavePercent 50
  Inventory.PickupMessage ""
  Inventory.PickupSound ""
  Inventory.RespawnTics {respawn}
  +INVENTORY.ALWAYSRESPAWN
  States
  {{
  Spawn:
    ARMO A -1 Bright
    stop
  }}
}}
"""

_COUNTED_HEALTH = """
actor LabHealing : Health
{{
  Inventory.Amount 50
  Inventory.MaxAmount 100
}}
actor Labhealth : CustomInventory {number}
{{
  Radius 20
  Height 32
  Inventory.PickupMessage ""
  Inventory.PickupSound ""
  Inventory.RespawnTics {respawn}
  +INVENTORY.ALWAYSRESPAWN
  States
  {{
  Spawn:
    HEAL A -1 Bright
    stop
  Pickup:
    TNT1 A 0 A_JumpIfHealthLower(100, "Wanted")
    fail
  Wanted:
    TNT1 A 0 A_GiveInventory("LabHealing", 1)
    TNT1 A 0 A_GiveInventory("Countshealth", 1)
    stop
  }}
}}
"""

_COUNTED_ARMOUR = """\
actor LabPlating : BasicArmorPickup
{{
  Armor.SaveAmount 100
  Armor.SavePercent 50
}}
actor Labarmour : CustomInventory {number}
{{
  Radius 20
  Height 32
  Inventory.PickupMessage ""
  Inventory.PickupSound ""
  Inventory.RespawnTics {respawn}
  +INVENTORY.ALWAYSRESPAWN
  States
  {{
  Spawn:
    ARMO A -1 Bright
    stop
  Pickup:
    TNT1 A 0 A_JumpIfInventory("BasicArmor", 100, "Whole")
    TNT1 A 0 A_GiveInventory("LabPlating", 1)
    TNT1 A 0 A_GiveInventory("Countsarmour", 1)
    stop
  Whole:
    TNT1 A 0
    fail
  }}
}}
"""

_REFRESHING = {"health": (_HEALTH, _COUNTED_HEALTH), "armour": (_ARMOUR, _COUNTED_ARMOUR)}
"""The actors of what comes back, without and with a count of how often it was taken.

A count takes a pickup of our own; the engine's suffice, and stay what they were, elsewhere.
"""

_LASER = """
actor LabBolt
{
  +NOBLOCKMAP
  +NOGRAVITY
  +PUFFONACTORS
  +PUFFGETSOWNER
  States
  {
  Spawn:
    BOLT A 3 Bright
    stop
  }
}
actor LabLaser : Weapon
{
  Weapon.SlotNumber 1
  States
  {
  Ready:
    TNT1 A 0 A_AlertMonsters
  Aim:
    TNT1 A 1 A_WeaponReady
    loop
  Select:
    TNT1 A 0 A_Raise
    TNT1 A 1 A_Raise
    loop
  Deselect:
    TNT1 A 1 A_Lower
    loop
  Fire:
    TNT1 A 8 A_FireBullets(0, 0, 1, 100, "LabBolt", FBF_NORANDOM)
    goto Ready
  Spawn:
    TNT1 A -1
    stop
  }
}
"""

_PLAYER = """
actor LabPlayer : PlayerPawn
{{
  Speed 1
  Health 100
  Radius 16
  Height 56
  Mass 100
  PainChance 255
  +BUDDHA
  +DONTTHRUST
  Player.DisplayName "Player"
  Player.MaxHealth 100
  Player.ViewHeight 41
  Player.JumpZ 8
  {items}
  States
  {{
  Spawn:
    PLAY A -1
    loop
  See:
    PLAY ABCD 4
    loop
  Missile:
    PLAY E 12
    goto Spawn
  Melee:
    PLAY F 6
    goto Missile
  Pain:
    PLAY G 0 A_JumpIfHealthLower(2, "Tagged")
    PLAY G 4
    goto Spawn
  Tagged:
    PLAY G 0 HealThing(1000, 100)
    PLAY G 4 Teleport_NoFog({again})
    goto Spawn
  Death:
    PLAY H -1
    stop
  }}
}}
"""

_OPPONENT = """
actor LabOpponent {number}
{{
  Health 100
  Radius 16
  Height 56
  Mass 1000
  Speed {speed}
  PainChance 0
  ReactionTime {reaction}
  Monster
  +LOOKALLAROUND
  +DONTTHRUST
  +NOBLOOD
  +NOINFIGHTING
  -COUNTKILL
  States
  {{
  Spawn:
    BOTS A 5 A_Look
    loop
  See:
    BOTS A 2 A_Chase
    loop
  Missile:
    BOTS A {aim} A_FaceTarget
    BOTS B 4 Bright A_CustomBulletAttack({spread}, 0, 1, 50, "LabBolt", 0, CBAF_NORANDOM)
    BOTS A {rest}
    goto See
  Death:
    TNT1 A 0 A_GiveToTarget("Countstag", 1)
    TNT1 A {away} A_NoBlocking
    TNT1 A 5 A_Respawn(0)
    wait
  }}
}}
"""


def decorate(level: Level) -> str:
    """The lump DECORATE of a level."""
    kinds = [kind for kind in level.counted if kind != "opponent"]
    text = [_TAKEN.format(kind=kind) for kind in kinds]
    text += [
        _EDIBLE.format(kind=kind, number=NUMBERS[kind], sprite=sprite)
        for kind, sprite in EDIBLES.items()
        if kind in kinds
    ]
    items = [
        f'Player.WeaponSlot {slot}, "Slot{kind}"' for slot, kind in zip(SLOTS, kinds, strict=False)
    ]
    if "goal" in kinds:
        text.append(_GOAL.format(number=NUMBERS["goal"], again=START_AGAIN, player=PLAYER))
    if level.armed:
        items += ['Player.StartItem "LabLaser"', 'Player.WeaponSlot 1, "LabLaser"']
        text.append(_LASER)
        text.append(_opponent(level.skill))
    text += [
        actors[kind in kinds].format(number=NUMBERS[kind], respawn=RESPAWN_SECONDS * TICS)
        for kind, actors in _REFRESHING.items()
    ]
    text.append(_PLAYER.format(items="\n  ".join(items), again=START_AGAIN))
    whole = "".join(text)
    check_states(whole)
    return whole


def _opponent(skill: int) -> str:
    """Opponents of skill 1 to 5: faster on their feet and on the trigger, and surer of aim."""
    return _OPPONENT.format(
        number=NUMBERS["opponent"],
        speed=2 + skill,
        reaction=8,
        aim=24 - 4 * skill,
        spread=18 - 3 * skill,
        rest=30 - 5 * skill,
        away=2 * TICS,
    )


def check_states(text: str) -> None:
    """Refuse states that share a line: the engine dies of a segmentation fault on them.

    Raises:
        ValueError: a line of DECORATE that holds more than one statement of a state.
    """
    sprite = r"[A-Z0-9]{4} [A-Z]+ -?\d+( Bright)?( [A-Za-z_]+(\(.*\))?)?"
    flow = r"(?!(?i:stop|loop|wait|fail|goto):)[A-Za-z]+:|stop|loop|wait|fail|goto [A-Za-z]+"
    inside = False
    for number, line in enumerate(text.splitlines(), 1):
        match line.strip():
            case "States":
                inside = True
            case "}":
                inside = False
            case "{":
                pass
            case state if inside and not re.fullmatch(f"{sprite}|{flow}", state):
                raise ValueError(f"DECORATE, line {number}: not one state: {state!r}")
