"""Who is asking at the `practicum` service's pages, as the roster knows them."""

from typing import Annotated

from fastapi import Depends

from hub.cohorts.model import Person
from hub.web.centre import Centre, centre_of
from hub.web.front import SignInNeeded, form_visitor, page_visitor, stream_visitor
from hub.web.page_session import SignedIn

CentreOf = Annotated[Centre, Depends(centre_of)]

Visitor = SignedIn[Person]

PageVisitor = Annotated[Visitor, Depends(page_visitor)]
FormVisitor = Annotated[Visitor, Depends(form_visitor)]
StreamVisitor = Annotated[Visitor, Depends(stream_visitor)]

__all__ = ["CentreOf", "FormVisitor", "PageVisitor", "SignInNeeded", "StreamVisitor", "Visitor"]
