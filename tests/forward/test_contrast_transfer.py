"""The transfer of contrast is found as it is, and with it the local part stands for an engine's derivative."""

import numpy as np
import pytest
import torch

from napari_sem4d.acquisition.instrument import Beam, Detector, Instrument, Segment
from napari_sem4d.cosine import dct2, frequencies, idct2
from napari_sem4d.forward.contrast_transfer import ContrastTransfer
from napari_sem4d.forward.engine import ForwardSetup
from napari_sem4d.forward.normal import normal_operator
from napari_sem4d.forward.registry import make_engine
from napari_sem4d.frames import slopes
from napari_sem4d.physics.materials import material
from napari_sem4d.physics.planar_table import planar_table

PIXEL_NM, RHO50_NM = 10.0, 20.0
RAD = torch.tensor([0.3, 0.7, 1.2, 1.9, 2.8], dtype=torch.float64)


def plain(height):
    """Two segments that see slopes from the left and from above."""
    p, q = slopes(height, PIXEL_NM)
    return 1.0 + torch.stack([0.5 * p, 0.5 * q])


def by_slopes(height):
    half, none = torch.full_like(height, 0.5), torch.zeros_like(height)
    return torch.stack([half, none]), torch.stack([none, half])


def measured(signals):
    return ContrastTransfer.measured(signals, by_slopes, PIXEL_NM, RHO50_NM, torch.zeros(1, dtype=torch.float64))


def test_an_engine_that_is_its_local_law_shows_all_of_its_slopes_and_no_crests():
    transfer = measured(plain)
    assert transfer.slope_share(RAD).numpy() == pytest.approx(np.ones(5), abs=1e-6)
    assert transfer.brightening(RAD).numpy() == pytest.approx(np.zeros(5), abs=1e-9)


def test_a_blur_and_shining_crests_are_found():
    def share(k):
        return torch.exp(-0.5 * (0.8 * k).square())

    def brightening(k):
        return 0.004 * (1.0 - share(k))

    def signals(height):
        k = frequencies((height.shape[0], height.shape[1]), height)
        modes = dct2(height)
        return plain(idct2(share(k) * modes)) * (1.0 + idct2(brightening(k) * modes))

    transfer = measured(signals)
    assert transfer.slope_share(RAD).numpy() == pytest.approx(share(RAD).numpy(), abs=0.06)
    assert transfer.brightening(RAD).numpy() == pytest.approx(brightening(RAD).numpy(), abs=0.0005)


def test_what_neighbours_do_counts_as_information():
    """Half of the slope, and as much that no slope of the pixel can say: its sign changes from place to place."""

    def signals(height):
        here = plain(height) - 1.0
        y, x = torch.meshgrid(*(torch.arange(n) for n in height.shape), indexing="ij")
        return 1.0 + 0.5 * here + 0.5 * torch.roll(here, 2, -1) * (1.0 - 2.0 * ((x // 2 + y // 2) % 2))

    shares = measured(signals).slope_share(RAD).numpy()
    assert shares == pytest.approx(0.5 * 2**0.5 * np.ones(5), rel=0.1)


def vift(pixel_rho50, energy_kev=5.0, of="Cu"):
    ring = tuple(Segment(name=f"S{i}", polar_deg=(15, 65), azimuth_deg=(90 * i, 90 * i + 80)) for i in range(4))
    pixel_nm = pixel_rho50 * planar_table(material(of), energy_kev).rho50_nm
    instrument = Instrument(beam=Beam(energy_kev=energy_kev), detector=Detector(segments=ring))
    return make_engine("vift", ForwardSetup(instrument, material(of), pixel_nm))


def pyramids(side, pixel_nm, period_px):
    """A surface with edges, nothing like the relief that the transfer is measured on."""
    axis = torch.arange(side, dtype=torch.float32)
    wave = (axis % period_px - 0.5 * period_px).abs()
    return 0.7 * pixel_nm * torch.minimum(wave[:, None], wave[None, :])


@pytest.mark.parametrize("pixel_rho50", [0.25, 0.56, 1.0, 2.0])
def test_the_local_part_has_the_curvature_of_the_whole_of_vift_within_a_factor_at_every_wavelength(pixel_rho50):
    engine = vift(pixel_rho50)
    side = 48 if pixel_rho50 > 1.0 else 64
    height = pyramids(side, engine.setup.pixel_nm, 16)
    linearisation = engine.linearise(height, torch.ones_like(height))
    weight = 1.0 / linearisation.signals.clamp_min(0.1 * float(linearisation.signals.mean()))
    product = linearisation.local_normal_operator(weight)
    alone = normal_operator(linearisation.information(weight), engine.setup.pixel_nm)
    k = frequencies((side, side), height)
    none = torch.zeros_like(height)
    for low, high in ((0.1, 0.4), (0.4, 0.8), (0.8, 1.3), (1.3, 2.0), (2.0, 3.0)):
        noise = torch.randn(side, side, generator=torch.Generator().manual_seed(3))
        wave = idct2(torch.where((k > low) & (k < high), noise, 0.0))
        whole = float((weight * linearisation.jvp(wave, none).square()).sum())
        local, own = (float((wave * operator(wave, none)[0]).sum()) for operator in (product, alone))
        # Of waves that the network's grid cannot hold hardly anything is left.
        assert 0.5 * local < whole < 2.0 * local or max(whole, local) < 0.05 * own, (
            low,
            whole / local,
            whole / own,
        )
